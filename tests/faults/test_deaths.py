"""A process that dies or stops in mid-stream: no acknowledged reading is lost, and the ledger closes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Note, is_whole, whole_matrix
from tests.faults.trial import Trial

COMPONENTS = ["ingest-1", "inference-1", "redis", "broker"]
UNWRITTEN_KILLS = 6
UNWRITTEN_S = 15.0  # how long a kill waits for its moment: an fsync begins each second
STANDSTILL_S = 4.0  # twice the time limit of a call of Redis, and twice the takeover time


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_kill_in_mid_stream(trial: Trial, note: Note, name: str) -> None:
    with trial.load():
        awaited = trial.kill(name)
        trial.site.start(name)
        trial.site.ready(name)
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


@whole_matrix
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_stopped_process_in_mid_stream(trial: Trial, note: Note, name: str) -> None:
    """SIGSTOP: the process keeps its connections without answering, and later continues where it was."""
    with trial.load():
        trial.site.processes[name].pause()
        time.sleep(STANDSTILL_S)  # the length of the fault, not a wait for a condition
        awaited = trial.await_the_next()
        trial.site.processes[name].resume()
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


def test_an_ingester_that_dies_before_redis_confirms_loses_nothing(trial: Trial, note: Note) -> None:
    """The broker still has the messages that the ingester did not acknowledge, and delivers them again."""
    with trial.load():
        wire = trial.site.wire("ingest-1", "redis")
        wire.stall()
        trial.site.wait(lambda: trial.site.with_the_broker() > 20, "readings on their way to Redis")
        trial.devices.rate = 0.0
        trial.site.wait(lambda: trial.devices.quiet, "the broker to acknowledge everything")
        awaited = trial.kill("ingest-1")
        wire.cut()  # what was stalled never arrives
        wire.flow()
        trial.site.start("ingest-1")
        trial.devices.rate = 300.0
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


def test_a_worker_dies_with_predictions_that_the_broker_has_not_confirmed(trial: Trial, note: Note) -> None:
    """Its entries were never marked done, so the next worker finds them pending."""
    with trial.load():
        wire = trial.site.wire("inference-1", "broker")
        wire.stall()
        trial.site.wait(lambda: trial.site.ledger().waiting > 100, "predictions on their way to the broker")
        awaited = trial.kill("inference-1")
        wire.cut()
        wire.flow()
        trial.site.start("inference-1")
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


def test_redis_dies_before_its_answers_have_come(trial: Trial, note: Note) -> None:
    """The lot was stored, but the reply was lost: the retry is recognized by its token and counted once."""
    with trial.load():
        for wire in (trial.site.wire("ingest-1", "redis"), trial.site.wire("inference-1", "redis")):
            wire.stall_answers()
        trial.site.wait(lambda: trial.site.with_the_broker() > 20, "answers that do not come")
        awaited = trial.kill("redis")
        for wire in (trial.site.wire("ingest-1", "redis"), trial.site.wire("inference-1", "redis")):
            wire.cut()
            wire.flow()
        trial.site.start("redis")
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)


@whole_matrix
@pytest.mark.parametrize("kind", ["redis-server", "valkey"])
def test_redis_dies_with_bytes_answered_and_not_written(
    make_trial: Callable[..., Trial], note: Note, kind: str
) -> None:
    """While an fsync runs, Redis answers first and writes later: an acknowledgement must wait for the write."""
    trial = make_trial(redis=kind)
    met = 0
    with trial.load():
        for _ in range(UNWRITTEN_KILLS):
            met += trial.site.kill_unwritten(UNWRITTEN_S)
            awaited = trial.await_the_next()
            trial.site.start("redis")
            trial.site.ready("redis")
            recovery = trial.answered(awaited)
    is_whole(trial, note, kills_unwritten=met, recovery=recovery)
    assert met


@whole_matrix
@pytest.mark.parametrize("how", ["killed", "standing still"])
def test_redis_that_writes_each_change_to_the_disk(make_trial: Callable[..., Trial], note: Note, how: str) -> None:
    trial = make_trial(fsync="always")
    with trial.load():
        if how == "killed":
            awaited = trial.kill("redis")
            trial.site.start("redis")
        else:
            trial.site.processes["redis"].pause()
            time.sleep(STANDSTILL_S)  # the length of the fault, not a wait for a condition
            awaited = trial.await_the_next()
            trial.site.processes["redis"].resume()
        recovery = trial.answered(awaited)
    is_whole(trial, note, recovery=recovery)
