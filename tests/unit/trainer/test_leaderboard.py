from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from trainer.compare.judge import Judged
from trainer.compare.leaderboard import Scored, ranked
from trainer.run.result_notes import better_than_guessing, guessing_notes
from zelador.classifiers import MODEL_TYPES

NAN = math.nan


def scored(name: str, f1: float | None = 0.8, **scores: float | None) -> Scored:
    return Scored(name, {"F1": f1, "MCC": 0.5, "Accuracy": 0.8, **scores})


def ids(candidates: Sequence[Scored], metric: str = "F1") -> list[str]:
    return [candidate.id for candidate in ranked(candidates, metric)]


def test_a_difference_below_four_decimals_decides() -> None:
    assert ids([scored("lr", 0.80001), scored("rf", 0.80002)]) == ["rf", "lr"]


def test_equals_are_ordered_by_correlation_then_accuracy_then_by_name() -> None:
    exact, close = scored("rf", Accuracy=0.9), scored("qda", MCC=0.6)
    assert ids([scored("nb"), scored("lr"), exact, close]) == ["qda", "rf", "lr", "nb"]


def test_scores_that_are_not_known_do_not_disturb_the_order() -> None:
    assert ids([scored("lr", 0.5), scored("qda", NAN), scored("nb", None), scored("rf", 0.8)]) == [
        "rf",
        "lr",
        "nb",
        "qda",
    ]


def test_the_baseline_is_never_chosen_and_stays_on_the_board() -> None:
    dummy = scored("dummy", 0.99)
    assert dummy.trouble() is not None
    assert ids([dummy, scored("lr", 0.1)]) == ["lr", "dummy"]


def test_a_candidate_that_failed_is_the_last_and_keeps_its_reason() -> None:
    failed = Scored("knn", {}, "fold 1 failed: ValueError: no")
    assert failed.trouble() == "fold 1 failed: ValueError: no"
    assert ids([failed, scored("lr", 0.1), scored("dummy", 0.0)]) == ["lr", "dummy", "knn"]


score = st.one_of(st.none(), st.floats(-1, 1), st.just(0.0), st.just(NAN))


@given(
    st.lists(
        st.builds(
            lambda name, value, other: scored(name, value, Accuracy=other),
            st.sampled_from(sorted(MODEL_TYPES)),
            score,
            score,
        ),
        unique_by=lambda candidate: candidate.id,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_is_the_same_however_the_candidates_come(candidates: list[Scored], random: object) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    order = ranked(candidates, "F1")
    assert [c.id for c in order] == ids(shuffled)
    found = [c.scores["F1"] for c in order if c.trouble() is None]
    usable = [value for value in found if value is not None and math.isfinite(value)]
    assert usable == sorted(usable, key=lambda value: -value)


def test_one_that_guesses_comes_after_those_that_do_not() -> None:
    """One that always answers "yes" has the best Recall."""
    always = scored("svm", MCC=0.0, Recall=1.0)
    assert ids([always, scored("lr", Recall=0.9), scored("nb", Recall=0.8)], "Recall") == ["lr", "nb", "svm"]
    others = scored("lr", MCC=0.01, Recall=0.9), scored("nb", MCC=-0.2, Recall=0.8)
    assert ids([always, *others], "Recall") == ["svm", "lr", "nb"]  # all of them guess


def test_what_guesses_on_the_hold_out_is_passed_and_named() -> None:
    def judged(holdout: float | None) -> Judged:
        return cast(Judged, SimpleNamespace(holdout=holdout))

    order = [scored("svm", Recall=1.0), scored("lr", Recall=0.9), scored("nb", Recall=0.8)]
    found = {"svm": judged(0.0), "lr": judged(0.6), "nb": judged(0.01)}
    assert [each.id for each in better_than_guessing(order, found)] == ["lr", "nb"]
    assert guessing_notes(order, found, "Recall") == [
        "LinearSVM has Recall 1.000, but does no better than guessing on the hold-out, so it is not the best"
    ]
    none = {"svm": judged(0.0), "lr": judged(0.02), "nb": judged(0.01)}
    assert better_than_guessing(order, none) == order
    assert guessing_notes(order, none, "Recall") == []
