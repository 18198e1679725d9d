"""Submits, lists, cancels and finishes runs, for the API and the schedule. One run is active at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.clock import now_iso
from zelador.errors import Conflict, NotFound
from zelador.scripts import script
from zelador.training_queue import event, stage
from zelador.training_queue.event import MAX_EVENTS, RunEvent
from zelador.training_queue.run import Run, RunRequest

KEEP_S = 7 * 86_400  # time to live of a run's record; the registry keeps its document longer
SCAN_COUNT = 500
PACKAGE = "zelador.training_queue"


class TrainingQueue:
    """Every call may raise redis.RedisError."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self._submit = script(client, PACKAGE, "lua/submit.lua")
        self._cancel = script(client, PACKAGE, "lua/cancel.lua")

    def submit(self, run: str, request: RunRequest, by: str) -> Run:
        """Queues a run. Raises Conflict, naming the other run, while one is active."""
        queued = Run(run, "queued", request, by, now_iso())
        keys = [self._keys.run_current, self._keys.run(run), self._keys.training_jobs]
        active = self._submit(keys, [run, msgspec.json.encode(queued), KEEP_S])
        if active:
            name = active.decode() if isinstance(active, bytes) else active
            raise Conflict(f"run {name} is active, and only one run can be: wait until it ends (GET /v1/runs/{name})")
        return queued

    def claim(self, once: str) -> bool:
        """True for the first trainer that claims this reason within a day: only that one starts a run for it."""
        return bool(self._client.set(self._keys.run_claim(once), "1", nx=True, ex=86_400))

    def current(self) -> Run | None:
        """The run that is queued or running; None if there is none."""
        name: Any = self._client.get(self._keys.run_current)
        if name is None:
            return None
        try:
            found = self.get(name.decode() if isinstance(name, bytes) else name)
        except NotFound:
            return None
        return found if found.is_active else None

    def get(self, run: str) -> Run:
        """The record of a run. Raises NotFound."""
        return msgspec.json.decode(self._read(run), type=Run)

    def cancel(self, run: str, by: str) -> Run:
        """Cancels a queued run at once, and asks the trainer to end a running one, which takes a few seconds.

        Returns the run as it is now: cancelled, or still running. Raises NotFound; Conflict if it has ended, or
        registers its models.
        """
        data = self._read(run)
        found = msgspec.json.decode(data, type=Run)
        if not found.is_active:
            raise Conflict(f"run {run} has ended: {found.state}")
        if found.state == "running" and not stage.may_cancel(self._newest(run, 1)):
            raise Conflict(f"run {run} registers its models already, which cannot be taken back: wait until it ends")
        cancelled = msgspec.structs.replace(found, state="cancelled", ended_at=now_iso(), error=f"cancelled by {by}")
        replacement = msgspec.json.encode(cancelled) if found.state == "queued" else ""
        keys = [self._keys.run(run), self._keys.run_current, self._keys.run_cancel(run)]
        ended = self._cancel(keys, [run, data, replacement, KEEP_S, by])
        return cancelled if ended else self.get(run)

    def finish(self, run: str, by: str) -> Run:
        """Asks the trainer to finish a running run with the candidates that it has compared.

        Raises NotFound; Conflict if it is not running, or compares no further candidate.
        """
        found = self.get(run)
        if found.state != "running":
            raise Conflict(f"run {run} is not running: it is {found.state}")
        if self.asked(run) != "finish" and not stage.may_finish_early(self._newest(run, MAX_EVENTS)):
            raise Conflict(
                f"run {run} has compared all of its candidates, so it cannot finish earlier: wait until it ends"
            )
        self._client.set(self._keys.run_enough(run), by, ex=KEEP_S)
        return found

    def asked(self, run: str) -> Literal["cancel", "finish"] | None:
        """What the trainer was asked to do with a run, and may not have done yet."""
        cancel, enough = self._client.mget(self._keys.run_cancel(run), self._keys.run_enough(run))
        return "cancel" if cancel is not None else "finish" if enough is not None else None

    def events(self, run: str, after: int, limit: int) -> list[bytes]:
        """The events with a number above `after`, as JSON, oldest first."""
        found: Any = self._client.xrange(self._keys.run_events(run), f"{after + 1}-0", "+", limit)
        return [fields[b"event"] for _, fields in found if b"event" in fields]

    def _newest(self, run: str, limit: int) -> Iterator[RunEvent]:
        found: Any = self._client.xrevrange(self._keys.run_events(run), count=limit)
        return (event.decode(fields[b"event"]) for _, fields in found if b"event" in fields)

    def list(self) -> list[Run]:
        """All runs whose record has not expired, newest first."""
        keys = list(self._client.scan_iter(match=self._keys.run("*"), count=SCAN_COUNT))
        values: Any = self._client.mget(keys) if keys else []
        runs = [msgspec.json.decode(value, type=Run) for value in values if value]
        return sorted(runs, key=lambda run: run.created_at, reverse=True)

    def _read(self, run: str) -> bytes:
        data: Any = self._client.get(self._keys.run(run))
        if data is None:
            raise NotFound(f"there is no run {run!r}")
        record: bytes = data
        return record
