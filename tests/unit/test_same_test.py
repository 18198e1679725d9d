"""A person who selects a model is told what their run found out about it and the selected one, on the same readings."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.views.same_test import cost_pair, costs_of, doubts, same_test, warnings
from registry.evaluation.scores import Answers, confusion, scores
from registry.log.state import Model, Selection, State

AT = "2026-11-27T10:00:00.000Z"


def model(name: str, seq: int, **metadata: Any) -> Model:
    return Model(name, "u", "0" * 64, metadata, AT, "tests", seq=seq)


def state(*models: Model, selected: str | None) -> State:
    chosen = None if selected is None else Selection(selected, 9, "tests", AT, "")
    return State(models=MappingProxyType({each.name: each for each in models}), selection=chosen)


def compared(low: float, high: float, **more: Any) -> Model:
    """A model whose run tested it and `old`, which was live then."""
    return model(
        "new", 2, metric="F1", run="r2", rank=1, reference="old", holdout={"F1": 0.43},
        difference={"F1": (low + high) / 2}, difference_intervals={"F1": [low, high]}, **more,
    )  # fmt: skip


def test_a_model_that_is_worse_on_the_same_readings_is_doubted() -> None:
    found = doubts(state(model("old", 1), compared(-0.5, -0.3), selected="old"), "new")
    assert found and found.against is not None and found.against.interval == (-0.5, -0.3)
    assert warnings(found) == [
        "it is worse than the selected model on the same readings (F1 -0.400, 95 % interval -0.500 to -0.300)"
    ]


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.02), (0.01, 0.2)])
def test_a_model_that_is_not_clearly_worse_is_not(low: float, high: float) -> None:
    assert not doubts(state(model("old", 1), compared(low, high), selected="old"), "new")


def test_going_back_to_the_model_that_was_live_turns_the_difference() -> None:
    kept = state(model("old", 1, holdout={"F1": 0.3}), compared(0.3, 0.5), selected="new")
    assert same_test(kept.models["old"], kept.models["new"]).intervals == {"F1": (-0.5, -0.3)}
    assert doubts(kept, "old").against is not None


def test_a_model_with_the_name_of_one_that_was_live_is_another_one() -> None:
    later = model("old", 3)  # registered after the model whose run tested one of this name
    assert not same_test(compared(-0.5, -0.3), later).differences


def test_a_run_that_recommends_no_model_is_said_once() -> None:
    unadvised = compared(-0.1, 0.1, not_recommended=True)
    found = doubts(state(model("old", 1), unadvised, selected="old"), "new")
    assert [each[:32] for each in warnings(found)] == ["its run recommends no model: it "]
    assert doubts(state(unadvised, selected=None), "new").is_not_recommended


@pytest.mark.parametrize(("behind", "is_doubted"), [([-0.08, -0.01], True), ([-0.08, 0.02], False), (None, True)])
def test_a_candidate_that_is_not_as_good_as_the_recommended_one_is_doubted(behind: Any, is_doubted: bool) -> None:
    third = model(
        "third", 3, metric="F1", run="r", rank=3, from_first={"F1": -0.03}, from_first_intervals={"F1": behind}
    )
    assert bool(doubts(state(third, selected=None), "third")) is is_doubted
    first = model("first", 2, metric="F1", run="r", rank=1)
    assert (doubts(state(first, third, selected="first"), "third").against is not None) is (behind == [-0.08, -0.01])
    assert not doubts(state(first, third, selected="third"), "first")


@pytest.mark.parametrize("broken", [None, "x", 3, [], {"F1": "x"}, {"F1": [1]}])
def test_damaged_metadata_says_nothing(broken: Any) -> None:
    odd = model(
        "new", 2, metric=broken, rank=broken, reference="old", difference=broken, difference_intervals=broken,
        from_first=broken, confusion=broken, holdout=broken, costs=broken, positive=broken,
    )  # fmt: skip
    found = state(model("old", 1), odd, selected="old")
    assert not doubts(found, "new")
    assert same_test(odd, found.models["old"]).cost is None


codes = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=200)


@given(rows=codes, positive=st.sampled_from(["a", "b"]))
def test_the_cost_of_the_live_model_follows_from_its_scores(rows: list[tuple[int, int, int]], positive: str) -> None:
    expected, mine, theirs = np.array(rows, np.int64).T
    own, other = (Answers(expected, each, None, ("a", "b"), positive) for each in (mine, theirs))
    known = {name: value for name, value in scores(other).items() if value is not None}
    found = cost_pair({"labels": ["a", "b"], "counts": confusion(own)}, positive, known, (5.0, 1.0))
    at = ("a", "b").index(positive)
    if not (expected == at).any():
        assert found is None
        return
    assert found is not None

    def cost(answered: Any) -> float:
        wrong = answered != expected
        return float(1_000 * np.where(expected == at, 5.0, 1.0)[wrong].sum() / len(expected))

    assert found.own == pytest.approx(cost(mine)) and found.other == pytest.approx(cost(theirs))


def test_costs_that_chose_no_threshold_are_not_shown() -> None:
    assert costs_of({"missed": 5, "false_alarm": 1, "recall": None}) == (5.0, 1.0)
    assert costs_of({"missed": 5, "recall": None}) == (5.0, 1.0)
    assert costs_of({"missed": 1, "false_alarm": 1}) is None
    assert costs_of({"missed": 5, "false_alarm": 1, "recall": 0.9}) is None
    assert costs_of({}) is None
