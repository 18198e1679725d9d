"""Small decisions, each a pure function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.lineup import Live
from inference.swap import SwapState, next_state
from ingest.pressure import RESUME_AT, Pressure
from registry.errors import ModelRefused
from registry.log.state import Selection
from zelador.ledger import Ledger
from zelador.retry import backoff


@given(st.integers(1, 60), st.floats(0, 1))
def test_a_back_off_grows_to_its_cap_and_is_never_zero(attempt: int, drawn: float) -> None:
    seconds = backoff(attempt, first=0.1, cap=5.0, draw=lambda: drawn)
    assert 0.01 <= seconds <= 5.0
    assert seconds <= backoff(attempt + 1, first=0.1, cap=5.0, draw=lambda: drawn)


@given(st.integers(1, 1000), st.lists(st.integers(0, 2000), max_size=30))
def test_pressure_holds_above_the_mark_and_until_well_below_it(high: int, backlogs: list[int]) -> None:
    pressure = Pressure(high)
    for backlog in backlogs:
        before, pressure = pressure, pressure.after(backlog)
        if backlog > high:
            assert pressure.holding
        if backlog <= high * RESUME_AT:
            assert not pressure.holding
        if high * RESUME_AT < backlog <= high:
            assert pressure.holding == before.holding


@given(*(st.integers(0, 10) for _ in range(7)))
def test_unaccounted_is_zero_only_if_both_sums_close(r: int, a: int, q: int, p: int, c: int, w: int, s: int) -> None:
    ledger = Ledger(r, a, q, p, c, w, s)
    assert (ledger.unaccounted == 0) == (r == a + q + p and a == c + w + s)
    assert set(ledger.flat()) == {
        "received", "accepted", "quarantined", "repeated", "classified", "waiting", "set_aside", "unaccounted",
    }  # fmt: skip


class Model:
    features = ("lux",)
    classes = ("no", "yes")
    digest = "d"

    def __init__(self, name: str) -> None:
        self.name = name

    def classify(self, rows):
        raise NotImplementedError


def chosen(name: str, sequence: int) -> Selection:
    return Selection(name, sequence, "me", "now", "")


def refuse(name: str) -> Model:
    raise ModelRefused(f"{name} is damaged")


def test_a_new_selection_is_loaded() -> None:
    state = next_state(SwapState(), chosen("a", 3), Model, ("lux",))
    assert state.live is not None
    assert (state.live.model.name, state.live.sequence, state.refusal) == ("a", 3, None)


def test_the_same_selection_is_not_loaded_twice() -> None:
    live = SwapState(Live(Model("a"), 3))
    assert next_state(live, chosen("a", 3), refuse, ("lux",)).live is live.live


def test_the_same_number_in_another_log_is_another_selection() -> None:
    live = SwapState(Live(Model("a"), 3))
    assert next_state(live, chosen("a", 3), refuse, ("lux",), "d").live is live.live
    state = next_state(live, chosen("b", 3), Model, ("lux",), "e")
    assert state.live is not None
    assert state.live.model.name == "b"
    refused = next_state(live, chosen("b", 3), refuse, ("lux",), "e")
    assert (refused.live, refused.refusal is not None) == (live.live, True)


@pytest.mark.parametrize(
    ("load", "features", "why"), [(refuse, ("lux",), "damaged"), (Model, ("humidity",), "needs lux")]
)
def test_a_model_that_cannot_be_loaded_is_refused_and_the_old_one_stays(load, features, why) -> None:
    live = SwapState(Live(Model("a"), 3))
    state = next_state(live, chosen("b", 4), load, features)
    assert state.live is live.live
    assert state.refusal is not None
    assert (state.refusal.name, state.refusal.sequence) == ("b", 4)
    assert why in state.refusal.reason


def test_without_a_selection_nothing_is_live() -> None:
    assert next_state(SwapState(Live(Model("a"), 3)), None, Model, ("lux",)) == SwapState()
