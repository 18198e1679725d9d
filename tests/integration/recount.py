"""Recounts the buffer's sums from its content."""

from __future__ import annotations

from collections import Counter
from typing import Any

import redis

from zelador.buffer.keys import GROUP, Keys


def is_after(first: bytes, second: bytes) -> bool:
    return tuple(map(int, first.split(b"-"))) > tuple(map(int, second.split(b"-")))


def waiting_bytes(client: redis.Redis, prefix: str) -> int:
    """The bytes of entries that the group has not finished: their JSON and their requests."""
    keys = Keys(prefix)
    entries: Any = client.xrange(keys.readings)
    groups: Any = client.xinfo_groups(keys.readings) if entries else []
    mine = next((group for group in groups if group["name"] == GROUP.encode()), None)
    last = mine["last-delivered-id"] if mine else b"0-0"
    found: Any = client.xpending_range(keys.readings, GROUP, "-", "+", 100_000) if mine else []
    pending = {each["message_id"] for each in found}
    total = 0
    for entry, fields in entries:
        if entry in pending or is_after(entry, last):
            total += len(next(iter(fields.values()))) + int(client.hstrlen(keys.requests, entry))  # type: ignore[arg-type]
    return total


def stream_bytes(client: redis.Redis, prefix: str) -> int:
    entries: Any = client.xrange(Keys(prefix).readings)
    return sum(len(next(iter(fields.values()))) for _, fields in entries)


def check_marks(client: redis.Redis, prefix: str) -> None:
    """Checks that the stream has as many bytes after each mark as the mark says."""
    keys = Keys(prefix)
    appended = int(client.hget(keys.ledger, "appended_bytes") or 0)  # type: ignore[arg-type]
    marks: Any = client.lrange(keys.marks, 0, -1)
    for mark in marks:
        entry, _, before = mark.split(b" ")
        entries: Any = client.xrange(keys.readings, entry)
        assert sum(len(next(iter(fields.values()))) for _, fields in entries) == appended - int(before), mark


def check_sums(client: redis.Redis, prefix: str) -> None:
    """Checks that every sum of bytes agrees with the content."""
    keys = Keys(prefix)
    assert int(client.hget(keys.ledger, "waiting_bytes") or 0) == waiting_bytes(client, prefix)  # type: ignore[arg-type]
    check_marks(client, prefix)
    check_quarantine(client, prefix)
    entries: Any = client.xrange(keys.readings)
    asked: Any = client.hkeys(keys.requests)
    assert set(asked) <= {entry for entry, fields in entries if b"?" in fields}


def check_quarantine(client: redis.Redis, prefix: str) -> None:
    stream = Keys(prefix).quarantine
    entries: Any = client.xrange(stream)
    index: Any = client.hgetall(f"{stream}-index")
    assert set(index) == {entry for entry, _ in entries}
    sizes, counts = Counter[bytes](), Counter[bytes]()
    for entry, fields in entries:
        size = sum(len(fields.get(name, b"")) for name in (b"topic", b"reason", b"payload", b"digest", b"features"))
        noted, _, share = index[entry].partition(b" ")
        assert int(noted) == size
        sizes[share] += size
        counts[share] += 1
    assert dict(client.zrange(f"{stream}-bytes", 0, -1, withscores=True)) == sizes  # type: ignore[arg-type]
    assert dict(client.zrange(f"{stream}-entries", 0, -1, withscores=True)) == counts  # type: ignore[arg-type]
    assert client.zcard(f"{stream}-order") == len(entries)
    assert int(client.hget(Keys(prefix).ledger, "quarantine_bytes") or 0) == sum(sizes.values())  # type: ignore[arg-type]
