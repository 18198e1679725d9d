"""A connection between two processes is reset or stalls: no acknowledged reading is lost, and the ledger closes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Note, is_whole, whole_matrix
from tests.faults.trial import Trial

PAIRS = [
    ("devices", "broker"),
    ("ingest-1", "broker"),
    ("ingest-1", "redis"),
    ("inference-1", "redis"),
    ("inference-1", "broker"),
]
NAMES = ["-".join(pair) for pair in PAIRS]
RESETS = 5
TRIES = 3
STALL_S = 3.0  # longer than a call of Redis may take here


@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
def test_a_reset_in_mid_stream(trial: Trial, note: Note, pair: tuple[str, str]) -> None:
    wire, recoveries = trial.site.wire(*pair), []
    with trial.load(500.0):
        for _ in range(RESETS):
            since = time.monotonic()
            wire.cut()
            recoveries.append(trial.answered(trial.await_the_next(since)))
    is_whole(trial, note, recovery=max(recoveries))


@whole_matrix
@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
def test_a_stall_in_both_directions(trial: Trial, note: Note, pair: tuple[str, str]) -> None:
    wire = trial.site.wire(*pair)
    with trial.load():
        wire.stall()
        wire.stall_answers()
        time.sleep(STALL_S)  # the length of the fault, not a wait for a condition
        awaited = trial.await_the_next()
        wire.flow()
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


@whole_matrix
@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
def test_a_stall_that_ends_in_a_reset(trial: Trial, note: Note, pair: tuple[str, str]) -> None:
    """Bytes in transit are lost in both directions."""
    wire = trial.site.wire(*pair)
    with trial.load():
        wire.stall()
        wire.stall_answers()
        time.sleep(STALL_S)  # the length of the fault, not a wait for a condition
        wire.cut()
        awaited = trial.await_the_next()
        wire.flow()
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


@whole_matrix
@pytest.mark.parametrize("name", ["ingest-1", "inference-1"])
def test_a_stall_that_both_ends_give_up_on(make_trial: Callable[..., Trial], note: Note, name: str) -> None:
    """A stall longer than the keepalive: both sides reconnect, and the old packets arrive late."""
    trial = make_trial(settings={"mqtt": {"keepalive_s": 1, "connect_timeout_s": 1.0}})
    wire = trial.site.wire(name, "broker")
    with trial.load():
        before = wire.connections
        wire.stall()
        wire.stall_answers()
        trial.site.wait(lambda: wire.connections >= before + TRIES, "new tries on the stalled wire")
        awaited = trial.await_the_next()
        wire.flow()
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)
