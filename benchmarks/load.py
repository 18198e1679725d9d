"""The load: one process, QoS 1. Every packet is encoded before the start, so that a reading costs about 2 us.

A generator that wakes for each PUBACK and parses it costs six times as much, on the cores that are measured. So this
one counts PUBACKs by their bytes, and sleeps until there is room for STEP more readings.
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
from command.demo.scenarios.machines import simulate

WINDOW = 500  # maximum of readings sent and not acknowledged
BACKLOG = 5_000  # maximum of readings sent and not received by the subscriber, which keeps the backlog constant
STEP = 125  # minimum of readings to send at once
NAP_S = 0.002  # wait for acknowledgements
LONG_NAP_S = 0.01  # wait for the subscriber; short in relation to BACKLOG
TICK_S = 0.001  # of an open loop
DEVICES = 50
PAYLOAD = 115  # bytes
ID_DIGITS = 8
PATIENCE_S = 60.0  # time limit for the start signal


@dataclass(frozen=True, slots=True)
class Plan:
    """The readings to send: `first` to `first + count`, to each of `topics` in turn.

    With `per_s` None, a closed loop; otherwise that many per second, with at most WINDOW unacknowledged.
    """

    port: int
    board: str
    first: int
    count: int
    topics: tuple[str, ...]
    per_s: int | None = None

    def arguments(self) -> list[str]:
        """The command line of the load; the plan is in a file, as the topics of many devices are too long for it."""
        path = Path(f"{self.board}.plan")
        path.write_text(json.dumps(asdict(self)))
        return ["-m", "benchmarks.load", str(path)]


def main() -> None:
    arguments = json.loads(Path(sys.argv[1]).read_text())
    plan = Plan(**{**arguments, "topics": tuple(arguments["topics"])})
    board = Board(Path(plan.board), plan.count)
    packets = encode(plan.first, plan.count, plan.topics, datetime.now(timezone.utc))
    sock = open_session(plan.port, f"bench-load-{plan.first}")
    sock.setblocking(False)
    board[LOAD_READY] = 1
    if board.wait_for(GO, PATIENCE_S):
        Load(sock, packets, board).run(plan.per_s)
    sock.close()


def encode(first: int, count: int, topics: Sequence[str], now: datetime) -> bytearray:
    """`count` concatenated PUBLISH packets, all of the same length."""
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
    """A device's message (docs/contracts.md), padded with spaces before the closing brace to PAYLOAD bytes."""
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
        self._part = b""  # start of an incomplete PUBACK

    def run(self, per_s: int | None) -> None:
        if per_s is None:
            self._closed_loop()
        else:
            self._open_loop(per_s)
        while not self._board[STOP]:  # the process must exist for its CPU time to be read
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
        tick = TICK_S if per_s > 1.0 / TICK_S else 0.0  # above this rate, several readings per wake-up
        started = time.monotonic()
        while self._sent < count and not board[STOP]:
            now = time.monotonic()
            due = min(count, int((now - started) * per_s) + 1)
            board[DUE] = due  # readings delayed by the window count as backlog too
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
        """Counts PUBACKs. In MQTT 3.1.1 they have four bytes each, and a publisher receives nothing else."""
        with contextlib.suppress(BlockingIOError):
            chunk = self._sock.recv(65_536)
            if not chunk:
                raise ConnectionError("the broker closed the load's connection")
            data = self._part + chunk
            complete = len(data) // 4
            if data[: 4 * complete : 4] != b"\x40" * complete:
                raise ConnectionError("the broker sent the load a packet that is not a PUBACK")
            self._part = data[4 * complete :]
            self._acked += complete
            self._board[ACKED] = self._acked


if __name__ == "__main__":
    main()
