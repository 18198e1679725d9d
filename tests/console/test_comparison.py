"""A run's document as a comparison: with the evaluation's keys, without them, and with nonsense in their places."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timezone
from typing import Any, cast

import pytest

from admin.console.language import language
from admin.console.render import Renderer
from admin.console.runs.words import certainty_text, verdict_text
from operations.views.comparison import Lead, comparison, cost_of, progress_of
from operations.views.run_view import RunView
from operations.views.same_test import CostPair
from registry.run_document import RunDocument

EN = language("en", timezone.utc)
MODEL = {
    "name": None, "rank": 1, "model_type": "GradientBoosting", "metrics": {"F1": 0.92, "MCC": 0.9},
    "holdout": {"F1": 0.916}, "served_by": "onnx", "confusion": {"labels": ["no", "yes"], "counts": [[90, 1], [2, 7]]},
    "agreement": {"reason": "it agrees", "onnx_us": 0.9, "pipeline_us": 71.0},
}  # fmt: skip
EVALUATED = {
    **MODEL, "intervals": {"F1": [0.9, 0.94]}, "holdout_intervals": {"F1": [0.89, 0.94], "MCC": None},
    "shuffled": {"F1": 0.956}, "optimism": 0.036, "threshold": 0.38, "us_per_row": 1.1,
}  # fmt: skip


def run(**document: Any) -> RunView:
    return RunView("1", "done", {"metric": "F1"}, "key", "2026-11-24T00:00:00Z", None, None, None, None,
                   cast(RunDocument, document))  # fmt: skip


def test_an_evaluated_run() -> None:
    tied = {**EVALUATED, "rank": 2, "model_type": "LightGBM"}
    board = [{"place": 9, "model_type": "Dummy", "metrics": {"F1": 0.0}, "trouble": "the baseline", "seconds": None}]
    found = comparison(
        run(
            models=[EVALUATED, tied],
            leaderboard=board,
            verdict={"kind": "tied", "sentence": "They cannot be told apart.", "tied": ["LightGBM"]},
            split={"kind": "device_and_time", "blocks": 231, "notes": ["19 devices"]},
            positive="yes",
            classes=["no", "yes"],
        )
    )
    assert (found.verdict, found.sentence, found.split_kind) == (
        "tied",
        "They cannot be told apart.",
        "device_and_time",
    )
    assert (found.split_blocks, found.split_notes, found.metrics) == (231, ("19 devices",), ("F1", "MCC"))
    first, second = found.packed
    assert (first.interval, first.holdout_interval, first.shuffled) == ((0.9, 0.94), (0.89, 0.94), 0.956)
    assert (first.optimism, first.threshold, first.us_per_row) == (0.036, 0.38, 1.1)
    assert (first.is_recommended, first.is_tied, second.is_recommended, second.is_tied) == (True, False, False, True)
    assert found.others[0].is_baseline
    assert 0.89 < found.axis[0] < 0.9
    assert found.first is first
    assert (found.baseline, found.question("later"), found.live) == (found.others[0], None, None)


def test_a_clear_lead_is_over_the_next_candidate() -> None:
    rows = [
        {**EVALUATED, "rank": rank, "model_type": name, "from_first": {"F1": far}, "from_first_intervals": {"F1": sure}}
        for rank, name, far, sure in (
            (2, "ExtraTrees", -0.02, [-0.03, -0.01]),
            (3, "LightGBM", -0.01, [-0.018, -0.002]),
        )
    ]
    verdict = {"kind": "clear", "sentence": "GradientBoosting is better than the other 2: F1 0.920.", "tied": []}
    found = comparison(run(models=[EVALUATED, *rows], verdict=verdict))
    assert found.lead == Lead("LightGBM", 0.01, (0.002, 0.018))
    assert certainty_text(EN, found) == (
        "Its lead over LightGBM is 0.010 F1, and the interval of that lead, 0.002 to 0.018, does not include 0."
    )
    assert certainty_text(EN, comparison(run(models=[EVALUATED, *rows], verdict=verdict), "MCC")) == ""
    replaced = {**verdict, "sentence": "NeuralNetwork is better than the other 3: F1 0.930. It cannot be served."}
    assert comparison(run(models=[EVALUATED, *rows], verdict=replaced)).lead is None


def test_classes_that_cannot_be_tested_are_counted() -> None:
    classes = {
        "idle": {"rows": [4, 5], "devices": 2, "alone": False}, "run": {"rows": [4, 4], "devices": 2, "alone": False},
        "worn": {"rows": [0, 3], "devices": 1, "alone": True},
    }  # fmt: skip
    verdict = {"kind": "not_evaluable", "sentence": "This cannot be evaluated: ...", "tied": []}
    seen = {"devices": ["a", "b"], "of": 2, "classes": classes}
    found = comparison(run(models=[EVALUATED], verdict=verdict, split={"seen": seen}))
    assert (found.alone, found.testable, found.is_untested) == (("worn",), ("idle", "run"), False)
    classes["run"]["alone"] = True
    found = comparison(run(models=[EVALUATED], verdict=verdict, split={"seen": seen}))
    assert found.is_untested
    assert verdict_text(EN, found).startswith(
        "This cannot be evaluated: 2 of the 3 classes were each seen on one device"
    )


def test_optimism_and_ties_are_of_the_metric_that_is_shown() -> None:
    """A run stores its optimism, and its verdict, for its own metric; the page shows others too."""
    other = {
        **EVALUATED, "rank": 2, "model_type": "LightGBM", "metrics": {"F1": 0.93, "AUC": 0.945}, "optimism": 0.001,
        "shuffled": {"F1": 0.931, "AUC": 0.96},
        "from_first": {"F1": 0.01, "AUC": -0.013, "MCC": 0.0},
        "from_first_intervals": {"F1": [-0.01, 0.03], "AUC": [-0.026, -0.001], "MCC": None},
    }  # fmt: skip
    verdict = {"kind": "tied", "sentence": "", "tied": ["GradientBoosting", "LightGBM"]}
    found = {name: comparison(run(models=[EVALUATED, other], verdict=verdict), name) for name in ("F1", "AUC", "MCC")}
    shown = {name: (each.ranked_by, each.packed[1].optimism, each.packed[1].is_tied) for name, each in found.items()}
    assert shown == {
        "F1": ("F1", 0.001, True),
        "AUC": ("F1", 0.015, False),
        "MCC": ("F1", None, False),
    }


def test_each_candidate_beside_the_recommended_one_is_tied_better_or_worse() -> None:
    """A cell was empty where a candidate could be told apart."""
    rows = [
        {**EVALUATED, "rank": rank, "model_type": name, "from_first": {"F1": far}, "from_first_intervals": {"F1": sure}}
        for rank, name, far, sure in (
            (2, "ExtraTrees", -0.02, [-0.03, -0.01]),
            (3, "LightGBM", -0.01, [-0.02, 0.01]),
            (4, "NaiveBayes", 0.02, [0.01, 0.03]),
            (5, "RandomForest", None, None),
            (6, "KNeighbors", -0.02, [-0.03, -0.01]),
        )
    ]
    for verdict, said in (
        ("tied", ["cannot be told apart", "cannot be told apart", "worse", "better", "worse"]),
        ("nothing_to_learn", []),
    ):
        tied = ["GradientBoosting", "LightGBM", "KNeighbors"] if said else []  # the last one by the hold-out
        found = comparison(run(models=[EVALUATED, *rows], verdict={"kind": verdict, "sentence": "", "tied": tied}))
        text = str(Renderer(EN, "").macro("runs/board.html", "board", found))
        subs = re.findall(r'class="sub">(cannot be told apart|better|worse)<', text)
        assert sorted(subs) == sorted(said)


def test_each_question_has_an_interval_and_the_errors_have_a_cost() -> None:
    """A run with costs of 5 and 1 was compared with the live model by F1 alone."""
    asked = {"questions": {"new_device": {"F1": 0.9}, "later": {"F1": 0.95}}}
    model = {**EVALUATED, **asked, "question_intervals": {"new_device": {"F1": [0.8, 0.96]}, "later": {"F1": None}}}
    live = {"name": "old", "holdout": {"F1": 0.8, "Recall": 6 / 9, "Precision": 1.0, "Accuracy": 0.97}}
    view = run(models=[model], reference=live, positive="yes")
    first = comparison(view).packed[0]
    assert (first.new_devices_interval, first.later, first.later_interval) == ((0.8, 0.96), 0.95, None)
    assert comparison(view).cost is None
    with_costs = replace(view, request={"cost_missed": 5.0, "cost_false_alarm": 1.0})
    assert comparison(with_costs).cost == CostPair(5.0, 1.0, 110.0, 150.0)  # 2 missed and 1 false alarm; 3 missed
    assert cost_of(view.result, (5.0, 1.0)) == CostPair(5.0, 1.0, 110.0, 150.0)
    assert comparison(replace(with_costs, request={**with_costs.request, "recall": 0.9})).cost is None


def test_a_run_without_an_evaluation() -> None:
    found = comparison(run(models=[MODEL]), "MCC")
    assert (found.verdict, found.split_kind, found.axis) == ("", "", (0.0, 1.0))
    assert (found.packed[0].score, found.packed[0].holdout, found.packed[0].us_per_row) == (0.9, None, None)


@pytest.mark.parametrize("wrong", [None, 7, "x", [], {}, [1], {"F1": "x"}, {"F1": [1]}, {"F1": float("nan")}])
def test_nonsense_counts_as_unknown_and_breaks_nothing(wrong: Any) -> None:
    keys = ("metrics", "holdout", "intervals", "holdout_intervals", "shuffled", "optimism", "agreement", "confusion")
    found = comparison(run(models=[dict.fromkeys(keys, wrong), 3], verdict=wrong, split=wrong, rows=wrong))
    (row,) = found.packed
    assert (row.score, row.interval, row.optimism if not isinstance(wrong, int) else None) == (None, None, None)


def test_progress_is_read_from_the_trainers_line() -> None:
    def at(text: str | None) -> tuple[int, int] | None:
        return progress_of(RunView("1", "running", {}, "k", "", None, None, text, None, cast(RunDocument, {})))

    assert at("compared 6 of 14 classifiers") == (6, 14)
    assert [at(text) for text in (None, "", "preparing", "1 of 0")] == [None] * 4
