"""What the load sends, and that it keeps both of its bounds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from benchmarks.board import ACKED, RECEIVED, SENT, STOP, Board
from benchmarks.load import BACKLOG, PAYLOAD, WINDOW, Load, encode
from benchmarks.mqtt_bytes import PACKET_IDS
from benchmarks.subscriber import cut
from zelador.decode import Decoder
from zelador.settings import Settings

NOW = datetime(2026, 11, 24, 10, tzinfo=timezone.utc)
TOPICS = ("sensors/press-01/reading", "sensors/press-02/reading")


def payloads(packets: bytearray, count: int) -> list[bytes]:
    size = len(packets) // count
    return [bytes(packets[at + size - PAYLOAD : at + size]) for at in range(0, len(packets), size)]


def test_each_reading_is_valid_and_has_its_own_id_and_values() -> None:
    decoder, count = Decoder(Settings()), 500
    readings = []
    for payload in payloads(encode(42, count, TOPICS, NOW), count):
        assert msgspec.json.decode(payload)["id"].isdigit()
        entry, refused = decoder.decode(TOPICS[0], payload, int(NOW.timestamp() * 1000))
        assert entry is not None
        assert not refused
        readings += entry.readings
    assert [reading.id for reading in readings] == [f"{number:08d}" for number in range(42, 42 + count)]
    assert len({reading.values for reading in readings}) > 0.9 * count


def test_packet_ids_come_again_only_after_all_others() -> None:
    count = PACKET_IDS + 3
    numbers, ids, rest = cut(bytes(encode(1, count, TOPICS, NOW)), b'"id":"')
    assert rest == b""
    assert numbers == list(range(1, count + 1))
    assert [int.from_bytes(packet_id, "big") for packet_id in ids] == [*range(1, PACKET_IDS + 1), 1, 2, 3]


def test_the_load_holds_back_what_is_not_acknowledged_and_what_is_not_received(
    tmp_path: Path, eventually: Callable[..., None]
) -> None:
    count = BACKLOG + 100
    board = Board(tmp_path / "board", count, make=True)
    ours, broker = socket.socketpair()
    ours.setblocking(False)
    thread = threading.Thread(target=Load(ours, encode(1, count, TOPICS, NOW), board).run, args=(None,))
    thread.start()
    drain = threading.Thread(target=lambda: [None for _ in iter(lambda: broker.recv(65_536), b"")])
    drain.start()
    try:
        eventually(lambda: board[SENT] == WINDOW, "as many as may be unacknowledged")
        broker.sendall(b"\x40\x02\x00\x01" * 10 + b"\x40\x02")  # ten, and half of another one
        eventually(lambda: board[ACKED] == 10, "ten to be counted")
        broker.sendall(b"\x00\x01" + b"\x40\x02\x00\x01" * (WINDOW - 11))
        while (before := board[SENT]) < BACKLOG:
            eventually(lambda before=before: board[SENT] > before, "the load to go on")
            broker.sendall(b"\x40\x02\x00\x01" * (board[SENT] - board[ACKED]))
        eventually(lambda: board[ACKED] == BACKLOG, "all to be acknowledged")
        assert board[SENT] == BACKLOG  # and not one more, since the subscriber received nothing
        board[RECEIVED] = BACKLOG
        eventually(lambda: board[SENT] == count, "the rest")
    finally:
        board[STOP] = 1
        thread.join(60)
        ours.close()
        drain.join(60)
        broker.close()
    assert all(board.sent_at)
