"""What another cost would change: the threshold a run would choose for it, and the errors there."""

from __future__ import annotations

from datetime import timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.console.language import language
from admin.console.runs.threshold import Typed, threshold_shown
from operations.views.report import Counts, ErrorCounts, Report, Thresholds
from operations.views.threshold import Chosen, Costs, report_threshold, threshold_view
from trainer.evaluate.threshold import Aim, choose

EN, PT = (language(tag, timezone.utc) for tag in ("en", "pt-BR"))
AT = [0.1, 0.3, 0.5, 0.7, 0.9]
FOLDS = Counts(1_000, 100, [0, 5, 20, 40, 80], [300, 60, 20, 5, 0])
HELD = Counts(200, 20, [0, 2, 5, 9, 18], [70, 15, 5, 1, 0])
ERRORS = ErrorCounts("yes", AT, FOLDS, HELD)
REPORT = Report(threshold={"yes": Thresholds(AT, [1.0] * 5, [4.0, 1.0], 0.2)}, errors=ERRORS)


def test_costs_choose_the_threshold_and_the_hold_out_says_what_it_costs() -> None:
    found = threshold_view(ERRORS, Costs(7.0, 3.0), Chosen(0.5))
    assert found is not None and found.chosen is not None
    assert (found.asked.threshold, found.asked.missed, found.asked.false_alarms) == (0.3, 2, 15)
    assert found.asked.cost == pytest.approx(1_000 * (7 * 2 + 3 * 15) / 200)
    assert (found.chosen.missed, found.half.missed, found.rows, found.positives) == (5, 5, 200, 20)
    assert len(found.curve) == 5
    assert found.held_out
    assert found.asked.folds_cost == pytest.approx(7 * 5 + 3 * 60)
    alone = threshold_view(ErrorCounts("yes", AT, FOLDS), Costs(7.0, 3.0), None)
    assert alone is not None
    assert (alone.held_out, alone.asked.folds_cost) == (False, None)


def test_the_errors_at_the_models_own_threshold_are_those_of_its_confusion_matrix() -> None:
    """The counts by threshold have steps, so that between two of them a page would contradict its own verdict."""
    confusion = [[166, 14], [3, 17]]
    report = Report(
        rows=200,
        classes=["no", "yes"],
        confusion=confusion,
        threshold={"yes": Thresholds(AT, [1.0] * 5, [5.0, 1.0], 1 / 6)},
        errors=ERRORS,
    )
    found = report_threshold(report, Costs(20.0, 1.0))
    assert found is not None and found.chosen is not None
    assert (found.chosen.missed, found.chosen.false_alarms, found.asked.missed) == (3, 14, 0)
    same = report_threshold(report, Costs(5.0, 1.0))
    assert same is not None
    assert same.asked == same.chosen
    kept = Thresholds(AT, [1.0] * 5, [1.0, 1.0], 0.17, 0.9)
    share = report_threshold(
        Report(200, ["no", "yes"], confusion, threshold={"yes": kept}, errors=ERRORS), Costs(recall=0.9)
    )
    assert share is not None
    assert (share.asked, share.asked.missed) == (share.chosen, 3)
    other = Report(400, ["no", "yes"], [[332, 28], [6, 34]], threshold=report.threshold, errors=ERRORS)  # other rows
    found = report_threshold(other, Costs(20.0, 1.0))
    assert found is not None and found.chosen is not None
    assert (found.chosen.missed, found.chosen.false_alarms) == (0, 70)


def test_a_threshold_that_costs_less_on_held_out_readings_is_named() -> None:
    cheap = Counts(200, 20, [10, 2, 5, 9, 18], [70, 15, 5, 1, 0])
    report = Report(threshold=REPORT.threshold, errors=ErrorCounts("yes", AT, FOLDS, cheap))
    found = threshold_shown(EN, report, Typed("9", "1"))
    assert found is not None and found.here is not None and found.cheaper is not None
    assert (found.here.threshold, found.cheaper.threshold) == (0.1, 0.2)
    assert found.cheaper.cost < found.here.cost
    share = threshold_shown(EN, report, Typed("", "", "95"))
    assert share is not None
    assert share.cheaper is None  # it is kept at any cost


def test_a_cost_that_can_be_read_in_two_ways_says_both() -> None:
    found = threshold_shown(EN, REPORT, Typed("1,234", "1"))
    assert found is not None
    assert found.wrong == {"missed": "This can be read in two ways: write 1234 or 1.234."}


def test_a_share_to_find_is_kept_on_the_folds() -> None:
    found = threshold_view(ERRORS, Costs(recall=0.95), None)
    assert found is not None
    assert (found.asked.threshold, found.asked.missed, found.chosen) == (0.3, 2, None)
    assert threshold_view(ErrorCounts("yes", AT, FOLDS), Costs(recall=0.95), None).asked.missed == 5  # type: ignore[union-attr]
    assert threshold_view(ERRORS, Costs(recall=1.0), None).asked.threshold == 0.1  # type: ignore[union-attr]


@given(st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_the_threshold_is_the_one_that_training_chooses(missed: float, false_alarm: float) -> None:
    shares, positive = np.array([0.2, 0.8]), np.array([False, True])
    assert Costs(missed, false_alarm).threshold == pytest.approx(
        choose(shares, positive, Aim(missed, false_alarm)), abs=1e-6
    )


def test_no_counts_have_no_answer_and_incomplete_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="the errors by threshold"):
        ErrorCounts("yes", [0.1, 0.2], FOLDS)
    assert threshold_view(ErrorCounts("yes", [], Counts(0, 0, [], [])), Costs(), None) is None


def test_before_somebody_types_the_form_has_the_costs_of_the_run() -> None:
    found = threshold_shown(EN, REPORT, Typed())
    assert found is not None and found.here is not None
    assert (found.typed, found.is_asked) == (Typed("4", "1", ""), False)
    assert found.here.threshold == 0.2  # the model's own


def test_costs_are_read_as_the_reader_writes_them() -> None:
    found = threshold_shown(PT, REPORT, Typed("7,5", "2,5"))
    assert found is not None and found.found is not None
    assert found.found.asked.threshold == 0.25
    assert found.again == "cost_missed=7.5&cost_false_alarm=2.5"
    assert found.command == "--cost-missed 7.5 --cost-false-alarm 2.5"
    share = threshold_shown(EN, REPORT, Typed("7.5", "2.5", "95"))
    assert share is not None
    assert share.command == "--recall 0.95"  # a run takes a share or costs, not both


@pytest.mark.parametrize("typed", [Typed("x"), Typed("0"), Typed("-1", "2"), Typed("1", "nan"), Typed("", "", "101")])
def test_a_wrong_amount_is_named_and_kept(typed: Typed) -> None:
    found = threshold_shown(EN, REPORT, typed)
    assert found is not None
    assert len(found.wrong) == 1
    assert found.typed == typed
    assert not found.is_asked


def test_without_counts_there_is_no_form() -> None:
    assert threshold_shown(EN, None, Typed()) is None
    assert threshold_shown(EN, Report(), Typed("1", "2")) is None
