"""One run: the same load and the same subscriber, around the system that is measured.

A closed loop sends BACKLOG more readings after the timed ones. Otherwise the last timed readings would come from a
backlog that is no longer filled, while the CPU time of the load and the ingester is free for the other processes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from benchmarks.board import ACKED, DUE, GO, LOAD_READY, RECEIVED, REPEATED, SENT, STOP, SUBSCRIBER_READY, Board
from benchmarks.load import BACKLOG, Plan
from benchmarks.measure import Snapshot, snapshot, use
from benchmarks.servers import END_S, ROOT, Program, await_that, started
from benchmarks.subscriber import Watch

WARM_UP = 0.1
STALL_S = 10.0  # a run that receives nothing for this long has stalled
SLOWEST_PER_S = 500  # a slower closed loop has stalled too, so each run has a deadline
POLL_S = 0.005
CHECK_S = 0.25
LINGER_S = 0.5  # wait after the last reading, to detect repeats


@dataclass(frozen=True, slots=True)
class Route:
    """The topics of the load and the subscriber. `marker` is the text before a reading's id in a received message."""

    name: str
    topics: tuple[str, ...]
    answers: str
    marker: str
    qos: int = 1  # of the received messages


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run. `received` and `repeated` are counted by the subscriber.

    `others` is the share of the machine used by other processes. Backlogs are medians at both ends of an open loop.
    """

    route: str
    sent: int
    acknowledged: int
    received: int
    repeated: int
    per_s: float
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    others: float = 0.0
    backlog_start: float = 0.0
    backlog_end: float = 0.0
    latencies_ms: tuple[float, ...] = ()
    stalled: bool = False

    @property
    def lost(self) -> int:
        return self.sent - self.received

    @property
    def exact(self) -> bool:
        return not (self.lost or self.repeated or self.stalled)


def measured(
    folder: Path,
    port: int,
    route: Route,
    between: Mapping[str, Program],
    first: int,
    count: int,
    per_s: int | None = None,
    latency: bool = False,
) -> Result:
    """Sends readings `first` to `first + count` along `route`, in a closed loop or at `per_s`, and waits for each.

    In a closed loop, the last BACKLOG readings are not timed. With `latency`, the result has the latency of each
    reading. Raises Failed when a process dies. A run that stalls returns a result with `stalled` set.
    """
    path = folder / f"board-{first}"
    board = Board(path, count, make=True)
    plan = Plan(port, str(path), first, count, route.topics, per_s)
    watch = Watch(port, str(path), first, count, route.answers, route.marker, route.qos, nap=not latency)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with contextlib.ExitStack() as ends:
        ends.callback(path.unlink)
        ends.callback(board.__setitem__, STOP, 1)
        load, subscriber = (
            ends.enter_context(started(name, [sys.executable, *arguments], folder, environment))
            for name, arguments in (("load", plan.arguments()), ("subscriber", watch.arguments()))
        )
        both = [load, subscriber]
        await_that(lambda: bool(board[SUBSCRIBER_READY] and board[LOAD_READY]), both, "load and subscriber to start")
        board[GO] = 1
        timed = count if per_s else count - BACKLOG
        deadline_s = STALL_S + count / SLOWEST_PER_S if per_s is None else 3 * STALL_S + count / per_s
        pids = {"load": load, "subscriber": subscriber, **between}
        observed = _observe(board, pids, timed, time.monotonic() + deadline_s)
        time.sleep(LINGER_S)
        board[STOP] = 1
        await_that(lambda: all(p.process.poll() is not None for p in both), [], "load and subscriber to end", END_S)
    return _result(route.name, board, observed, timed, latency)


@dataclass(frozen=True, slots=True)
class _Observed:
    warm: Snapshot
    end: Snapshot
    backlogs: Sequence[int]
    stalled: bool


def _observe(board: Board, programs: Mapping[str, Program], timed: int, deadline: float) -> _Observed:
    """Polls the board until all readings have been received, or the run stalls."""
    pids = {name: program.pid for name, program in programs.items()}
    warm, end = snapshot(pids, 0), None
    warmed = False
    backlogs: list[int] = []
    progressed_at = checked_at = time.monotonic()
    last = 0
    while True:
        received, now = board[RECEIVED], time.monotonic()
        if received > last:
            last, progressed_at = received, now
        if not warmed and received >= WARM_UP * timed:
            warm, warmed = snapshot(pids, received), True
        if warmed and board[DUE] < board.count:
            backlogs.append(board[DUE] - received)
        if end is None and received >= timed:
            end = snapshot(pids, received)
        if received >= board.count or now > deadline or now > progressed_at + STALL_S:
            return _Observed(warm, end or snapshot(pids, received), backlogs, received < board.count)
        if now > checked_at + CHECK_S:
            checked_at = now
            for program in programs.values():
                program.check()
        time.sleep(POLL_S)


def _result(route: str, board: Board, observed: _Observed, timed: int, latency: bool) -> Result:
    spent = use(observed.warm, observed.end)
    arrivals = [at for at in board.received_at if at]
    both = zip(board.received_at, board.sent_at, strict=True) if latency else ()
    edge = max(1, len(observed.backlogs) // 6)
    return Result(
        route=route,
        sent=board[SENT],
        acknowledged=board[ACKED],
        received=len(arrivals),
        repeated=board[REPEATED],
        per_s=0.0 if observed.stalled else rate(sorted(arrivals)[:timed]),
        cpu_us=spent.cpu_us,
        others=spent.others,
        backlog_start=median(observed.backlogs[:edge] or [0]),
        backlog_end=median(observed.backlogs[-edge:] or [0]),
        latencies_ms=tuple((received - sent) / 1e6 for received, sent in both if received),
        stalled=observed.stalled,
    )


def merged(slices: Sequence[Result]) -> Result | None:
    """Slices of equal size as one run: counts are summed, and the rate is all readings divided by the total time."""
    if not slices:
        return None
    first, is_complete = slices[0], all(part.per_s for part in slices)
    return Result(
        route=first.route,
        sent=sum(part.sent for part in slices),
        acknowledged=sum(part.acknowledged for part in slices),
        received=sum(part.received for part in slices),
        repeated=sum(part.repeated for part in slices),
        per_s=len(slices) / sum(1 / part.per_s for part in slices) if is_complete else 0.0,
        cpu_us={name: fmean(part.cpu_us.get(name, 0.0) for part in slices) for name in first.cpu_us},
        others=max(part.others for part in slices),
        stalled=any(part.stalled for part in slices),
    )


def rate(times: Sequence[int]) -> float:
    """Readings per second, without the first tenth of the readings. `times` are in ns, ascending."""
    warm = int(WARM_UP * len(times))
    if warm < 1 or times[-1] <= times[warm - 1]:
        return 0.0
    return (len(times) - warm) / ((times[-1] - times[warm - 1]) / 1e9)
