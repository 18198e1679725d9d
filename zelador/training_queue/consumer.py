"""The trainer's side of the training queue: takes a run, renews its lease, reports progress, ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.clock import now_iso
from zelador.errors import NotFound
from zelador.lease import Lease
from zelador.scripts import script
from zelador.training_queue import event
from zelador.training_queue.event import MAX_EVENTS, RunEvent
from zelador.training_queue.queue import KEEP_S, PACKAGE, TrainingQueue
from zelador.training_queue.run import Job, Run, RunState

GROUP = "trainer"  # the consumer group of the trainers
LEASE_S = 15  # a trainer that has not renewed its lease for this long is dead and blocks no other run


class Consumer:
    """`trainer` is a trainer's name in the consumer group. Every call may raise redis.RedisError."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._queue = TrainingQueue(client, prefix)
        self._lease = Lease(client, self._keys.run_current, LEASE_S)
        self._finish = script(client, PACKAGE, "lua/finish.lua")

    def abandoned(self, trainer: str, own: bool) -> Job | None:
        """A job that was delivered to a trainer that died; with `own`, to this trainer before it restarted.

        If the run is still queued, the delivery was lost on its way: begin it. If it is running, fail it, and do not
        begin it again: what killed the trainer once (often memory) would kill it again.
        """
        jobs = self._keys.training_jobs
        try:
            if own:
                answer: Any = self._client.xreadgroup(GROUP, trainer, {jobs: "0-0"}, count=1)
                return self._job(answer[0][1] if answer else [])
            claimed: Any = self._client.xautoclaim(jobs, GROUP, trainer, LEASE_S * 1000, "0-0", count=1)
            return self._job(claimed[1])
        except redis.ResponseError as error:
            self._make_group(error)
            return None

    def next(self, trainer: str, wait_s: float) -> Job | None:
        """The next job, for `begin`; None if none was submitted within `wait_s`."""
        jobs, block_ms = self._keys.training_jobs, max(1, int(wait_s * 1000))
        try:
            answer: Any = self._client.xreadgroup(GROUP, trainer, {jobs: ">"}, count=1, block=block_ms)
        except redis.ResponseError as error:
            self._make_group(error)
            return None
        return self._job(answer[0][1] if answer else [])

    def begin(self, job: Job) -> Job:
        """Marks the job's run as running, and takes the lease."""
        running = self._save(msgspec.structs.replace(job.run, state="running", started_at=now_iso()))
        self._lease.hold(job.run.id)
        return Job(job.entry, running)

    def renew(self, trainer: str, job: Job) -> None:
        """Renews the lease; to be called several times within LEASE_S."""
        self._lease.hold(job.run.id)
        self._client.xclaim(self._keys.training_jobs, GROUP, trainer, 0, [job.entry], justid=True)

    def cancelled_by(self, job: Job) -> str | None:
        """Who cancelled the run; None if nobody did."""
        found: Any = self._client.get(self._keys.run_cancel(job.run.id))
        return None if found is None else found.decode()

    def wanted_by(self, job: Job) -> str | None:
        """Who wants the run to finish with the candidates that it has; None if nobody does."""
        found: Any = self._client.get(self._keys.run_enough(job.run.id))
        return None if found is None else found.decode()

    def report(self, job: Job, happened: RunEvent) -> None:
        """Shows an event in the run's record, and adds it to its events."""
        events, record = self._keys.run_events(job.run.id), msgspec.structs.replace(job.run, progress=happened.message)
        with self._client.pipeline() as pipe:
            pipe.set(self._keys.run(job.run.id), msgspec.json.encode(record), ex=KEEP_S)
            pipe.xadd(events, {"event": event.encode(happened)}, f"{happened.number}-0", MAX_EVENTS, approximate=False)
            pipe.expire(events, KEEP_S)
            pipe.execute()

    def finish(
        self, job: Job, state: RunState, *, error: str | None = None, result: Mapping[str, object] | None = None
    ) -> Run:
        """Ends the run, so that another can be submitted."""
        kept = None if result is None else dict(result)
        ended = msgspec.structs.replace(job.run, state=state, ended_at=now_iso(), error=error, result=kept)
        keys = [self._keys.run_current, self._keys.run(ended.id), self._keys.training_jobs]
        self._finish(keys, [ended.id, msgspec.json.encode(ended), KEEP_S, GROUP, job.entry])
        return ended

    def _job(self, entries: Any) -> Job | None:
        """The job of the first entry whose run is active; acknowledges the entries before it."""
        for entry, fields in entries:
            try:
                run = self._queue.get((fields or {})[b"run"].decode())
            except (NotFound, KeyError):  # its record has expired
                run = None
            if run is not None and run.is_active:
                return Job(entry.decode(), run)
            self._client.xack(self._keys.training_jobs, GROUP, entry)
        return None

    def _make_group(self, error: redis.ResponseError) -> None:
        """Creates the consumer group if `error` says that there is none; raises any other error."""
        if not str(error).startswith("NOGROUP"):
            raise error
        try:
            self._client.xgroup_create(self._keys.training_jobs, GROUP, id="0", mkstream=True)
        except redis.ResponseError as other:
            if not str(other).startswith("BUSYGROUP"):
                raise

    def _save(self, run: Run) -> Run:
        self._client.set(self._keys.run(run.id), msgspec.json.encode(run), ex=KEEP_S)
        return run
