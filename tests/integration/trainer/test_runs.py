"""Runs between API and trainer, on a real Redis: one at a time, and none blocks the next for ever."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from zelador.buffer import connect_redis
from zelador.errors import Conflict, NotFound
from zelador.settings import RedisSettings
from zelador.training_queue import queue as module
from zelador.training_queue.queue import Job, Runs

FIRST, SECOND = "20261124_115838-aaaa", "20261124_115839-bbbb"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect_redis(RedisSettings(url=redis_url)) as connected:
        yield connected


@pytest.fixture
def runs(client: redis.Redis, mark: str) -> Runs:
    return Runs(client, mark)


def take(runs: Runs, trainer: str = "trainer-1") -> Job:
    for _ in range(3):  # the first look makes the group, another may pass over a run that was cancelled
        if job := runs.next(trainer, 0.05):
            return job
    raise AssertionError("no job")


def test_a_run_from_the_asking_to_the_result(runs: Runs) -> None:
    assert runs.submit(FIRST, {"metric": "F1"}, "key 1").state == "queued"
    job = runs.begin(take(runs))
    assert runs.get(FIRST).state == "running"
    runs.progress(job, "compared 3 of 14 classifiers")
    assert runs.get(FIRST).progress == "compared 3 of 14 classifiers"
    runs.finish(job, "done", result={"rows": 900})
    ended = runs.get(FIRST)
    assert (ended.state, ended.result, ended.request) == ("done", {"rows": 900}, {"metric": "F1"})
    assert runs.abandoned("trainer-1", own=True) is None
    assert [run.id for run in runs.list()] == [FIRST]


def test_a_second_run_is_refused_by_the_name_of_the_first(runs: Runs) -> None:
    runs.submit(FIRST, {}, "key 1")
    with pytest.raises(Conflict, match=FIRST):
        runs.submit(SECOND, {}, "key 2")
    with pytest.raises(NotFound):
        runs.get(SECOND)
    runs.finish(take(runs), "failed", error="no labelled readings")
    assert runs.submit(SECOND, {}, "key 2").id == SECOND


def test_what_ran_when_its_trainer_died_is_found_by_its_next_life(runs: Runs) -> None:
    runs.submit(FIRST, {}, "key 1")
    runs.begin(take(runs))
    left = runs.abandoned("trainer-1", own=True)
    assert left is not None
    assert left.run.state == "running"
    runs.finish(left, "failed", error="stopped in the middle")
    assert runs.submit(SECOND, {}, "key 1").state == "queued"


def test_what_was_given_but_never_begun_is_still_queued(runs: Runs) -> None:
    """Redis gave the job away and the answer was lost on its way."""
    runs.submit(FIRST, {}, "key 1")
    take(runs)
    left = runs.abandoned("trainer-1", own=True)
    assert left is not None
    assert left.run.state == "queued"


def test_a_trainer_that_dies_for_good_does_not_block_the_next_run(
    runs: Runs, client: redis.Redis, mark: str, monkeypatch: pytest.MonkeyPatch, eventually
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 1)
    runs.submit(FIRST, {}, "key 1")
    job = runs.begin(take(runs))
    runs.renew("trainer-1", job)
    with pytest.raises(Conflict):
        runs.submit(SECOND, {}, "key 1")
    eventually(lambda: not client.exists(f"{{{mark}}}:run-current"), "the lease to end")
    assert runs.submit(SECOND, {}, "key 1").state == "queued"
    runs.renew("trainer-1", job)  # it lives after all, but has lost its place
    assert client.get(f"{{{mark}}}:run-current") == SECOND.encode()


def test_a_run_that_nobody_took_until_it_was_forgotten_blocks_nothing(
    runs: Runs, client: redis.Redis, mark: str
) -> None:
    runs.submit(FIRST, {}, "key 1")
    client.delete(f"{{{mark}}}:run:{FIRST}")
    assert client.ttl(f"{{{mark}}}:run-current") > 0
    assert runs.next("trainer-1", 0.05) is None
    assert runs.next("trainer-1", 0.05) is None
    assert client.xpending(f"{{{mark}}}:training-jobs", "trainer")["pending"] == 0


def test_no_key_lives_for_ever_but_the_bounded_stream(runs: Runs, client: redis.Redis, mark: str) -> None:
    runs.submit(FIRST, {}, "key 1")
    runs.finish(runs.begin(take(runs)), "done", result={})
    for key in client.scan_iter(f"{{{mark}}}:*"):
        assert client.type(key) == b"stream" or client.ttl(key) > 0, key


def test_a_run_that_waits_is_cancelled_and_never_given_to_a_trainer(runs: Runs) -> None:
    runs.submit(FIRST, {"names": []}, "key 1")
    assert runs.cancel(FIRST, "key 2").state == "cancelled"
    ended = runs.get(FIRST)
    assert (ended.state, ended.error, ended.request) == ("cancelled", "cancelled by key 2", {"names": []})
    with pytest.raises(Conflict, match="has ended: cancelled"):
        runs.cancel(FIRST, "key 2")
    runs.submit(SECOND, {}, "key 1")
    assert take(runs).run.id == SECOND


def test_a_run_that_goes_on_keeps_its_place_until_its_trainer_has_seen_the_wish(runs: Runs) -> None:
    runs.submit(FIRST, {}, "key 1")
    job = take(runs)
    assert runs.cancelled_by(job) is None
    job = runs.begin(job)
    assert runs.cancel(FIRST, "key 2").state == "running"
    runs.progress(job, "compared 3 of 14 classifiers")  # which writes the record anew
    assert runs.cancelled_by(job) == "key 2"
    with pytest.raises(Conflict, match=FIRST):
        runs.submit(SECOND, {}, "key 1")


def test_a_run_begun_while_it_was_cancelled_still_ends(runs: Runs) -> None:
    """The trainer had read it as queued a moment before."""
    runs.submit(FIRST, {}, "key 1")
    job = take(runs)
    runs.cancel(FIRST, "key 2")
    assert runs.cancelled_by(runs.begin(job)) == "key 2"
