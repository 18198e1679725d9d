from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from trainer.compare.leaderboard import METRICS, MODEL_TYPES, Scored, ranked

NAN = math.nan


def scored(name: str, f1: float = 0.8, **folds: Sequence[float]) -> Scored:
    return Scored(name, {metric: folds.get(metric, [f1] * 5) for metric in METRICS})


def ids(candidates: Sequence[Scored], metric: str = "F1") -> list[str]:
    return [candidate.id for candidate in ranked(candidates, metric)]


def test_a_difference_below_four_decimals_decides() -> None:
    assert ids([scored("lr", 0.80001), scored("rf", 0.80002)]) == ["rf", "lr"]


def test_equals_are_ordered_by_accuracy_then_by_name() -> None:
    exact = scored("rf", Accuracy=[0.9] * 5)
    assert ids([scored("nb"), scored("lr"), exact]) == ["rf", "lr", "nb"]


def test_a_failed_fold_is_no_score() -> None:
    failed = scored("knn", **{metric: [0.9, 0.9, 0.0, 0.9, 0.9] for metric in METRICS})
    assert failed.trouble() == "1 of 5 folds failed"
    assert ids([failed, scored("lr", 0.1)]) == ["lr", "knn"]


def test_a_fold_in_which_every_label_was_wrong_has_not_failed() -> None:
    unlucky = scored("lr", Accuracy=[0.0, 0.5, 0.5, 0.5, 0.5], Kappa=[-0.4, 0.1, 0.1, 0.1, 0.1])
    assert unlucky.trouble() is None


def test_scores_that_are_no_numbers_do_not_disturb_the_order() -> None:
    odd = scored("qda", F1=[NAN] * 5)
    assert ids([scored("lr", 0.5), odd, scored("rf", 0.8)]) == ["rf", "lr", "qda"]
    assert odd.mean("F1") is None
    assert scored("qda", **{metric: [NAN] * 5 for metric in METRICS}).trouble() == "5 of 5 folds failed"


def test_the_baseline_is_never_chosen_and_stays_on_the_board() -> None:
    dummy = scored("dummy", 0.99)
    assert dummy.trouble() is not None
    assert ids([dummy, scored("lr", 0.1)]) == ["lr", "dummy"]


def test_an_auc_of_zero_is_one_that_is_not_defined() -> None:
    assert scored("lr", AUC=[0.0] * 5).mean("AUC") is None
    assert scored("lr", AUC=[0.9, 0.0, 0.9, 0.9, 0.9]).mean("AUC") is None


def test_a_model_without_probabilities_has_no_auc() -> None:
    ridge = Scored("ridge", scored("ridge", 0.97).folds, has_probabilities=False)
    assert ridge.mean("AUC") is None
    assert ids([ridge, scored("lr", 0.2)], "AUC") == ["lr", "ridge"]


score = st.one_of(st.floats(-1, 1), st.just(0.0), st.just(NAN))


@given(
    st.lists(
        st.builds(
            lambda name, value, other: scored(name, F1=[value] * 5, Accuracy=[other] * 5),
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
    usable = [c.mean("F1") for c in order if c.trouble() is None and c.mean("F1") is not None]
    assert usable == sorted(usable, key=lambda value: -(value or 0.0))
