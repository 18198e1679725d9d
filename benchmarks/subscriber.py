"""The independent subscriber: a separate process at QoS 1, whose counts decide what was received, and how often.

It uses neither paho nor the product's code. It parses predictions out of large reads, acknowledges them in one write,
and marks each on the board by its reading's id. A second or unexpected prediction counts as repeated.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.board import RECEIVED, REPEATED, STOP, SUBSCRIBER_READY, Board
from benchmarks.load import ID_DIGITS
from benchmarks.mqtt_bytes import PUBACK, open_session

READ_BYTES = 262_144
NAP_S = 0.004  # wait after a small read, so that the next one is larger; not when latency is measured
SMALL_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Watch:
    """The expected readings: `first` to `first + count` on `topic` at `qos`, each with its id after `marker`."""

    port: int
    board: str
    first: int
    count: int
    topic: str
    marker: str
    qos: int = 1
    nap: bool = True

    def arguments(self) -> list[str]:
        return ["-m", "benchmarks.subscriber", json.dumps(asdict(self))]


def main() -> None:
    watch = Watch(**json.loads(sys.argv[1]))
    board = Board(Path(watch.board), watch.count)
    sock = open_session(watch.port, f"bench-subscriber-{watch.first}", watch.topic)
    sock.settimeout(0.05)
    board[SUBSCRIBER_READY] = 1
    marker, rest = watch.marker.encode(), b""
    while not board[STOP]:  # continues after the last reading, to detect repeats
        try:
            chunk = sock.recv(READ_BYTES)
        except TimeoutError:
            continue
        if not chunk:
            raise ConnectionError("the broker closed the subscriber's connection")
        now = time.monotonic_ns()
        numbers, packet_ids, rest = cut(rest + chunk, marker, watch.qos)
        tick_off(board, watch.first, numbers, now)
        if packet_ids:
            sock.sendall(PUBACK + PUBACK.join(packet_ids))
        if watch.nap and len(chunk) < SMALL_READ_BYTES:
            time.sleep(NAP_S)
    sock.close()


def cut(data: bytes, marker: bytes, qos: int = 1) -> tuple[list[int], list[bytes], bytes]:
    """Parses `data`: (numbers of the readings, packet ids to acknowledge, bytes of an incomplete packet).

    A number is -1 if the message has none, or has the wrong QoS.
    """
    publish = 0x30 | qos << 1
    numbers: list[int] = []
    packet_ids: list[bytes] = []
    find, skip, at, end = data.find, len(marker), 0, len(data)
    digits_end = skip + ID_DIGITS
    while at + 2 <= end:
        length, body, shift = data[at + 1], at + 2, 7
        if length > 127:
            length &= 127
            while body < end and data[body] > 127:
                length |= (data[body] & 127) << shift
                body, shift = body + 1, shift + 7
            if body >= end:
                break
            length |= data[body] << shift
            body += 1
        stop = body + length
        if stop > end:
            break
        if data[at] & 0xF6 == publish:  # ignores the flags DUP and RETAIN
            name_end = body + 2 + (data[body] << 8) + data[body + 1]
            if qos:
                packet_ids.append(data[name_end : name_end + 2])
            found = find(marker, name_end, stop)
            try:
                numbers.append(int(data[found + skip : found + digits_end]) if found >= 0 else -1)
            except ValueError:
                numbers.append(-1)
        else:
            numbers.append(-1)
        at = stop
    return numbers, packet_ids, data[at:]


def tick_off(board: Board, first: int, numbers: list[int], now: int) -> None:
    """Records when each reading was received. A reading received before, or never sent, counts as repeated."""
    received_at, count = board.received_at, board.count
    fresh = repeated = 0
    for number in numbers:
        index = number - first
        if 0 <= index < count and not received_at[index]:
            received_at[index] = now
            fresh += 1
        else:
            repeated += 1
    board[RECEIVED] += fresh
    if repeated:
        board[REPEATED] += repeated


if __name__ == "__main__":
    main()
