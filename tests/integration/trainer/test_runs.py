"""Runs between API and trainer, on a real Redis: one at a time, and none blocks the next forever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import redis

from operations.views.runs import RunReader
from registry.registry import Registry
from registry.run_document import RunDocument
from zelador.buffer import connect_redis
from zelador.clock import now_iso
from zelador.errors import Conflict, NotFound
from zelador.settings import RedisSettings
from zelador.training_queue import Consumer, Job, TrainingQueue
from zelador.training_queue import consumer as module
from zelador.training_queue.event import RunEvent, decode
from zelador.training_queue.stage import REGISTERING

FIRST, SECOND = "20261124_115838-aaaa", "20261124_115839-bbbb"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect_redis(RedisSettings(url=redis_url)) as connected:
        yield connected


@pytest.fixture
def runs(client: redis.Redis, mark: str) -> TrainingQueue:
    return TrainingQueue(client, mark)


@pytest.fixture
def trainer(client: redis.Redis, mark: str) -> Consumer:
    return Consumer(client, mark)


def take(trainer: Consumer, name: str = "trainer-1") -> Job:
    for _ in range(3):  # the first call creates the group, another may skip a run that was cancelled
        if job := trainer.next(name, 0.05):
            return job
    raise AssertionError("no job")


def test_a_run_from_request_to_result(runs: TrainingQueue, trainer: Consumer) -> None:
    assert runs.submit(FIRST, {"metric": "F1"}, "key 1").state == "queued"
    job = trainer.begin(take(trainer))
    assert runs.get(FIRST).state == "running"
    happened = RunEvent(1, "2026-11-24T11:58:38.004Z", "step", "compared 3 of 14 classifiers")
    trainer.report(job, happened)
    assert runs.get(FIRST).progress == "compared 3 of 14 classifiers"
    assert [decode(data) for data in runs.events(FIRST, 0, 9)] == [happened]
    assert runs.events(FIRST, 1, 9) == []
    trainer.finish(job, "done", result={"rows": 900})
    ended = runs.get(FIRST)
    assert (ended.state, ended.result, ended.request) == ("done", {"rows": 900}, {"metric": "F1"})
    assert trainer.abandoned("trainer-1", own=True) is None
    assert [run.id for run in runs.list()] == [FIRST]


def test_a_list_says_how_many_readings_a_canceled_run_had(
    runs: TrainingQueue, trainer: Consumer, tmp_path: Path
) -> None:
    """The page of the run says it, from the registry; the queue has it only of a run that is done."""
    registry, reader = Registry.open(tmp_path), RunReader(Registry.open(tmp_path), runs)
    runs.submit(FIRST, {}, "key 1")
    job = trainer.begin(take(trainer))
    assert "rows" not in reader.listed(9).rows[0].result
    document = {"run": FIRST, "by": "key 1", "started_at": now_iso(), "state": "running", "rows": 2400}
    registry.put_run(FIRST, cast(RunDocument, document))
    assert reader.listed(9).rows[0].result["rows"] == 2400
    trainer.finish(job, "cancelled", error="cancelled by key 1")
    (row,) = reader.listed(9).rows
    assert (row.state, row.result["rows"]) == ("cancelled", 2400)


def test_a_second_run_is_refused_by_the_name_of_the_first(runs: TrainingQueue, trainer: Consumer) -> None:
    runs.submit(FIRST, {}, "key 1")
    with pytest.raises(Conflict, match=FIRST):
        runs.submit(SECOND, {}, "key 2")
    with pytest.raises(NotFound):
        runs.get(SECOND)
    trainer.finish(take(trainer), "failed", error="no labeled readings")
    assert runs.submit(SECOND, {}, "key 2").id == SECOND


def test_a_run_whose_trainer_died_is_found_after_the_restart(runs: TrainingQueue, trainer: Consumer) -> None:
    runs.submit(FIRST, {}, "key 1")
    trainer.begin(take(trainer))
    left = trainer.abandoned("trainer-1", own=True)
    assert left is not None
    assert left.run.state == "running"
    trainer.finish(left, "failed", error="stopped in the middle")
    assert runs.submit(SECOND, {}, "key 1").state == "queued"


def test_a_run_that_was_delivered_but_not_begun_is_still_queued(runs: TrainingQueue, trainer: Consumer) -> None:
    """Redis delivered the job, but the reply was lost."""
    runs.submit(FIRST, {}, "key 1")
    take(trainer)
    left = trainer.abandoned("trainer-1", own=True)
    assert left is not None
    assert left.run.state == "queued"


def test_a_trainer_that_dies_for_good_does_not_block_the_next_run(
    runs: TrainingQueue, client: redis.Redis, mark: str, monkeypatch: pytest.MonkeyPatch, eventually
) -> None:
    monkeypatch.setattr(module, "LEASE_S", 1)
    trainer = Consumer(client, mark)
    runs.submit(FIRST, {}, "key 1")
    job = trainer.begin(take(trainer))
    trainer.renew("trainer-1", job)
    with pytest.raises(Conflict):
        runs.submit(SECOND, {}, "key 1")
    eventually(lambda: not client.exists(f"{{{mark}}}:run-current"), "the lease to end")
    assert runs.submit(SECOND, {}, "key 1").state == "queued"
    trainer.renew("trainer-1", job)  # it is alive after all, but has lost its lease
    assert client.get(f"{{{mark}}}:run-current") == SECOND.encode()


def test_a_run_that_expired_in_the_queue_blocks_nothing(
    runs: TrainingQueue, trainer: Consumer, client: redis.Redis, mark: str
) -> None:
    runs.submit(FIRST, {}, "key 1")
    client.delete(f"{{{mark}}}:run:{FIRST}")
    assert client.ttl(f"{{{mark}}}:run-current") > 0
    assert trainer.next("trainer-1", 0.05) is None
    assert trainer.next("trainer-1", 0.05) is None
    assert client.xpending(f"{{{mark}}}:training-jobs", "trainer")["pending"] == 0


def test_only_the_bounded_stream_never_expires(
    runs: TrainingQueue, trainer: Consumer, client: redis.Redis, mark: str
) -> None:
    runs.submit(FIRST, {}, "key 1")
    job = trainer.begin(take(trainer))
    trainer.report(job, RunEvent(1, "2026-11-24T11:58:38.004Z", "step", "3 of 14"))
    runs.finish(FIRST, "key 1")
    assert trainer.wanted_by(job) == "key 1"
    trainer.finish(job, "done", result={})
    with pytest.raises(Conflict, match="it is done"):
        runs.finish(FIRST, "key 1")
    for key in client.scan_iter(f"{{{mark}}}:*"):
        assert client.type(key) == b"stream" or client.ttl(key) > 0, key


def test_what_can_no_longer_change_a_run_is_refused(runs: TrainingQueue, trainer: Consumer) -> None:
    runs.submit(FIRST, {}, "key 1")
    job = trainer.begin(take(trainer))
    trainer.report(job, RunEvent(1, "2026-11-24T11:58:38Z", "candidate_ended", "", done=1, total=2))
    trainer.report(job, RunEvent(2, "2026-11-24T11:58:39Z", "candidate_ended", "", done=2, total=2))
    trainer.report(job, RunEvent(3, "2026-11-24T11:58:40Z", "step", "rebuilding Ridge (1 of 2)"))
    with pytest.raises(Conflict, match="has compared all of its candidates"):
        runs.finish(FIRST, "key 1")
    assert trainer.wanted_by(job) is None
    trainer.report(job, RunEvent(4, "2026-11-24T11:58:41Z", "step", REGISTERING))
    with pytest.raises(Conflict, match="registers its models already"):
        runs.cancel(FIRST, "key 1")
    assert trainer.cancelled_by(job) is None


def test_a_queued_run_is_cancelled_and_never_given_to_a_trainer(runs: TrainingQueue, trainer: Consumer) -> None:
    runs.submit(FIRST, {"names": []}, "key 1")
    assert runs.cancel(FIRST, "key 2").state == "cancelled"
    ended = runs.get(FIRST)
    assert (ended.state, ended.error, ended.request) == ("cancelled", "cancelled by key 2", {"names": []})
    with pytest.raises(Conflict, match="has ended: cancelled"):
        runs.cancel(FIRST, "key 2")
    runs.submit(SECOND, {}, "key 1")
    assert take(trainer).run.id == SECOND


def test_a_running_run_stays_active_until_its_trainer_reads_the_request(runs: TrainingQueue, trainer: Consumer) -> None:
    runs.submit(FIRST, {}, "key 1")
    job = take(trainer)
    assert trainer.cancelled_by(job) is None
    job = trainer.begin(job)
    assert runs.cancel(FIRST, "key 2").state == "running"
    trainer.report(job, RunEvent(1, "2026-11-24T11:58:38.004Z", "step", "3 of 14"))  # which writes the record again
    assert trainer.cancelled_by(job) == "key 2"
    with pytest.raises(Conflict, match=FIRST):
        runs.submit(SECOND, {}, "key 1")


def test_a_run_begun_while_it_was_cancelled_still_ends(runs: TrainingQueue, trainer: Consumer) -> None:
    """The trainer had read the run as queued a moment before."""
    runs.submit(FIRST, {}, "key 1")
    job = take(trainer)
    runs.cancel(FIRST, "key 2")
    assert trainer.cancelled_by(trainer.begin(job)) == "key 2"
