"""Training runs as API and trainer share them: asked for by one, done by the other, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import msgspec
import redis

from zelador.errors import Conflict, NotFound

KEEP_S = 7 * 86_400  # how long a run is remembered here; the registry has its document for longer
LEASE_S = 15  # a trainer that has not renewed for so long is dead, and no longer keeps others waiting
GROUP = "trainer"
GOING_ON = ("queued", "running")
RESULT = ("run", "rows", "metric", "leaderboard", "models", "seconds")  # of the run's document (trainer/run/job.py)

# KEYS 1 current run  2 this run  3 jobs (stream)   ARGV 1 run id  2 run as JSON  3 keep (s)
# Gives the id of the run that goes on, or nothing.
SUBMIT = """
local current = redis.call('GET', KEYS[1])
if current then return current end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', 1000, '*', 'run', ARGV[1])
return false
"""

# KEYS 1 current run   ARGV 1 run id  2 lease (s).  Holds the place for this run, unless another has it by now.
HOLD = """
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""

# KEYS 1 current run  2 this run  3 jobs   ARGV 1 run id  2 run as JSON  3 keep (s)  4 group  5 entry
# All at once: a trainer that dies here leaves a run that has ended, or one that has not.
FINISH = """
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return redis.call('XACK', KEYS[3], ARGV[4], ARGV[5])
"""


# KEYS 1 this run  2 current run  3 wish   ARGV 1 run id  2 run as it was read  3 run as cancelled  4 keep (s)  5 by
# Wishes it, and ends it at once if it is still as it was read; else its trainer sees the wish.
CANCEL = """
redis.call('SET', KEYS[3], ARGV[5], 'EX', ARGV[4])
if ARGV[3] == '' or redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
"""


class Run(msgspec.Struct, frozen=True):
    """`state` is queued, running, done, failed or cancelled; times are ISO 8601, UTC."""

    id: str
    state: str
    request: dict[str, Any]
    by: str
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    progress: str | None = None
    error: str | None = None
    result: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A run given to this trainer; `entry` is its place in the stream of jobs."""

    entry: str
    run: Run


class Runs:
    """Every call may raise redis.RedisError."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._submit = client.register_script(SUBMIT)
        self._hold = client.register_script(HOLD)
        self._finish = client.register_script(FINISH)
        self._cancel = client.register_script(CANCEL)

    def submit(self, run: str, request: Mapping[str, Any], by: str) -> Run:
        """Asks for a run. Raises Conflict, naming it, while another goes on."""
        asked = Run(run, "queued", dict(request), by, _now())
        keys = [self._key("run-current"), self._key(f"run:{run}"), self._key("training-jobs")]
        going_on = self._submit(keys, [run, msgspec.json.encode(asked), KEEP_S])
        if going_on:
            name = going_on.decode() if isinstance(going_on, bytes) else going_on
            raise Conflict(f"run {name} goes on; one at a time: wait for it (GET /v1/runs/{name})")
        return asked

    def get(self, run: str) -> Run:
        """Raises NotFound."""
        return msgspec.json.decode(self._read(run), type=Run)

    def cancel(self, run: str, by: str) -> Run:
        """Ends a run that waits; asks the trainer to end one that goes on, which it does within seconds.

        The run as it is now: cancelled, or still running. Raises NotFound, Conflict when it has ended.
        """
        data = self._read(run)
        found = msgspec.json.decode(data, type=Run)
        if found.state not in GOING_ON:
            raise Conflict(f"run {run} has ended: {found.state}")
        ended = msgspec.structs.replace(found, state="cancelled", ended_at=_now(), error=f"cancelled by {by}")
        waits = found.state == "queued"
        keys = [self._key(f"run:{run}"), self._key("run-current"), self._key(f"run-cancel:{run}")]
        done = self._cancel(keys, [run, data, msgspec.json.encode(ended) if waits else "", KEEP_S, by])
        return ended if done else self.get(run)

    def list(self) -> list[Run]:
        """The newest first."""
        keys = list(self._client.scan_iter(match=self._key("run:*"), count=500))
        values: Any = self._client.mget(keys) if keys else []
        found = [msgspec.json.decode(value, type=Run) for value in values if value]
        return sorted(found, key=lambda run: run.created_at, reverse=True)

    # ── the trainer's side ───────────────────────────────────────────────────────────────────

    def abandoned(self, trainer: str, own: bool) -> Job | None:
        """A run that was given to a trainer that died (with `own`: to this one, in its earlier life), or None.

        If it is still queued, the answer was lost on its way: begin it. If it runs, fail it, and do not begin it
        again: what killed the trainer once (often memory) would do it again.
        """
        key = self._key("training-jobs")
        found: Any
        try:
            if own:
                answer: Any = self._client.xreadgroup(GROUP, trainer, {key: "0-0"}, count=1)
                found = answer[0][1] if answer else []
            else:
                found = self._client.xautoclaim(key, GROUP, trainer, LEASE_S * 1000, "0-0", count=1)[1]
        except redis.ResponseError as error:
            self._make_group(error)
            return None
        return self._job(found)

    def next(self, trainer: str, wait_s: float) -> Job | None:
        """The next run to do, to be begun; None if none was asked for within `wait_s`."""
        key = self._key("training-jobs")
        try:
            answer: Any = self._client.xreadgroup(GROUP, trainer, {key: ">"}, count=1, block=max(1, int(wait_s * 1000)))
        except redis.ResponseError as error:
            self._make_group(error)
            return None
        return self._job(answer[0][1] if answer else [])

    def begin(self, job: Job) -> Job:
        """The job, marked running."""
        begun = self._save(msgspec.structs.replace(job.run, state="running", started_at=_now()))
        self._hold([self._key("run-current")], [job.run.id, LEASE_S])
        return Job(job.entry, begun)

    def renew(self, trainer: str, job: Job) -> None:
        """Says that the run's trainer lives; several times within LEASE_S."""
        self._hold([self._key("run-current")], [job.run.id, LEASE_S])
        self._client.xclaim(self._key("training-jobs"), GROUP, trainer, 0, [job.entry], justid=True)

    def cancelled_by(self, job: Job) -> str | None:
        """Who wants the run to end; None while nobody does."""
        found: Any = self._client.get(self._key(f"run-cancel:{job.run.id}"))
        return None if found is None else found.decode()

    def progress(self, job: Job, message: str) -> None:
        self._save(msgspec.structs.replace(job.run, progress=message))

    def finish(self, job: Job, state: str, *, error: str | None = None, result: dict[str, Any] | None = None) -> Run:
        """Ends the run, so that the next may be asked for."""
        ended = msgspec.structs.replace(job.run, state=state, ended_at=_now(), error=error, result=result)
        keys = [self._key("run-current"), self._key(f"run:{ended.id}"), self._key("training-jobs")]
        self._finish(keys, [ended.id, msgspec.json.encode(ended), KEEP_S, GROUP, job.entry])
        return ended

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _read(self, run: str) -> bytes:
        data: Any = self._client.get(self._key(f"run:{run}"))
        if data is None:
            raise NotFound(f"there is no run {run!r}")
        found: bytes = data
        return found

    def _job(self, found: Any) -> Job | None:
        for entry, fields in found:
            try:
                run = self.get((fields or {})[b"run"].decode())
            except (NotFound, KeyError):  # its record has expired
                run = None
            if run is not None and run.state in GOING_ON:
                return Job(entry.decode(), run)
            self._client.xack(self._key("training-jobs"), GROUP, entry)
        return None

    def _make_group(self, error: redis.ResponseError) -> None:
        if not str(error).startswith("NOGROUP"):
            raise error
        try:
            self._client.xgroup_create(self._key("training-jobs"), GROUP, id="0", mkstream=True)
        except redis.ResponseError as other:
            if not str(other).startswith("BUSYGROUP"):
                raise

    def _save(self, run: Run) -> Run:
        self._client.set(self._key(f"run:{run.id}"), msgspec.json.encode(run), ex=KEEP_S)
        return run

    def _key(self, name: str) -> str:
        return f"{{{self._prefix}}}:{name}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
