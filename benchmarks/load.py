"""The load: one process, QoS 1, every packet encoded before the start, so that a reading costs about 2 us.

A generator that parses each PUBACK and wakes for it costs six times that, on the cores of what it measures. So PUBACKs
are counted by their bytes, and it sleeps until there is room for STEP more.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from benchmarks.board import ACKED, DUE, GO, LOAD_READY, RECEIVED, STOP, Board
from benchmarks.mqtt_bytes import PACKET_IDS, open_session, publish
from zelador.scenarios.machines import simulate

WINDOW = 500  # sent and not acknowledged, at most
BACKLOG = 5_000  # sent and not received by the subscriber, at most: so the backlog is flat by construction
STEP = 125  # room that is worth waking for
NAP_S = 0.002  # until the broker has acknowledged more
LONG_NAP_S = 0.01  # until the subscriber has received more: of BACKLOG that is little
TICK_S = 0.001  # of an open loop
DEVICES = 50
PAYLOAD = 115  # bytes
ID_DIGITS = 8
PATIENCE_S = 60.0  # for the start signal


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: readings `first` to `first + count`, to each of `topics` in turn.

    `per_s` None is the closed loop; else so many a second whatever comes back, with at most WINDOW unacknowledged.
    """

    port: int
    board: str
    first: int
    count: int
    topics: tuple[str, ...]
    per_s: int | None = None

    def arguments(self) -> list[str]:
        return ["-m", "benchmarks.load", json.dumps(asdict(self))]


def main() -> None:
    told = json.loads(sys.argv[1])
    plan = Plan(**{**told, "topics": tuple(told["topics"])})
    board = Board(Path(plan.board), plan.count)
    packets = encode(plan.first, plan.count, plan.topics, datetime.now(timezone.utc))
    sock = open_session(plan.port, f"bench-load-{plan.first}")
    sock.setblocking(False)
    board[LOAD_READY] = 1
    if board.wait_for(GO, PATIENCE_S):
        Load(sock, packets, board).run(plan.per_s)
    sock.close()


def encode(first: int, count: int, topics: Sequence[str], now: datetime) -> bytearray:
    """`count` PUBLISH packets one after the other, all of the same length."""
    rows = [tuple(sample.values.values()) for sample in islice(simulate(7), 10_000)]
    ts = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    if len({len(topic) for topic in topics}) > 1:
        raise ValueError("topics of different lengths would make packets of different lengths")
    packets = bytearray()
    for index in range(count):
        number = first + index
        payload = reading(number, rows[number % len(rows)], ts, number // len(topics))
        packets += publish(topics[number % len(topics)], payload, index % PACKET_IDS + 1)
    return packets


def reading(number: int, row: Sequence[float], ts: str, seq: int) -> bytes:
    """A device's message as docs/contracts.md has it; blanks before the brace make it PAYLOAD bytes long."""
    lux, temperature, vibration = row
    text = (
        f'{{"id":"{number:0{ID_DIGITS}d}","lux":{lux},"temperature":{temperature},"vibration":{vibration},'
        f'"ts":"{ts}","seq":{seq}'
    )
    return text.ljust(PAYLOAD - 1).encode() + b"}"


class Load:
    def __init__(self, sock: socket.socket, packets: bytearray, board: Board) -> None:
        self._sock = sock
        self._packets = memoryview(packets)
        self._size = len(packets) // board.count
        self._board = board
        self._sent = 0
        self._acked = 0
        self._part = b""  # of a PUBACK that was cut

    def run(self, per_s: int | None) -> None:
        if per_s is None:
            self._closed_loop()
        else:
            self._open_loop(per_s)
        while not self._board[STOP]:  # it stays until it is told: its CPU time can be read as long as it is there
            self._count_acks()
            time.sleep(10 * NAP_S)

    def _closed_loop(self) -> None:
        board, count = self._board, self._board.count
        while self._sent < count and not board[STOP]:
            self._count_acks()
            left = count - self._sent
            allowed = BACKLOG - (self._sent - board[RECEIVED])
            room = min(self._window(), allowed, left)
            if room < min(STEP, left):
                time.sleep(LONG_NAP_S if allowed < STEP else NAP_S)
                continue
            board[DUE] = self._sent + room
            self._send(room)

    def _open_loop(self, per_s: int) -> None:
        board, count = self._board, self._board.count
        tick = TICK_S if per_s > 1.0 / TICK_S else 0.0  # above that, several readings a wake
        started = time.monotonic()
        while self._sent < count and not board[STOP]:
            now = time.monotonic()
            due = min(count, int((now - started) * per_s) + 1)
            board[DUE] = due  # what the window holds back is backlog too
            self._count_acks()
            room = min(due - self._sent, self._window())
            if room > 0:
                self._send(room)
            next_due = started + self._sent / per_s
            time.sleep(max(next_due - time.monotonic(), tick, 0.0001))

    def _window(self) -> int:
        return WINDOW - (self._sent - self._acked)

    def _send(self, room: int) -> None:
        first, last = self._sent, self._sent + room
        self._board.mark_sent(first, last)
        data = self._packets[first * self._size : last * self._size]
        while data:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                select.select([], [self._sock], [], 1.0)
                if self._board[STOP]:
                    return
        self._sent = last

    def _count_acks(self) -> None:
        """Four bytes each on 3.1.1, and nothing else comes to a publisher."""
        with contextlib.suppress(BlockingIOError):
            came = self._sock.recv(65_536)
            if not came:
                raise ConnectionError("the broker closed the load's connection")
            data = self._part + came
            whole = len(data) // 4
            if data[: 4 * whole : 4] != b"\x40" * whole:
                raise ConnectionError("the broker sent the load something that is no PUBACK")
            self._part = data[4 * whole :]
            self._acked += whole
            self._board[ACKED] = self._acked


if __name__ == "__main__":
    main()
