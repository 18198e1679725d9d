"""Measures what many open streams of the console cost the admin server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.measure import snapshot
from benchmarks.plant import Plant
from benchmarks.servers import Stack


def in_a_thread(job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `job` on another thread, because Playwright has an event loop on the main one."""
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.append(job()))
    thread.start()
    thread.join(300)
    return found[0] if found else {}


def streams(stack: Stack, plant: Plant, url: str, key: str, count: int) -> dict[str, Any]:
    """CPU cores that `count` streams cost the admin server, at one and at four readings a second."""
    return asyncio.run(_streams(stack, plant, url, key, count))


async def _streams(stack: Stack, plant: Plant, url: str, key: str, count: int) -> dict[str, Any]:
    pid = {"admin": stack.programs["admin"].pid}
    plant.rate = 0.0
    await asyncio.sleep(2.0)
    found: dict[str, Any] = {"streams": count}
    idle = await _core(pid, 8.0)
    follow = [asyncio.create_task(_follow(url, key)) for _ in range(count)]
    await asyncio.sleep(5.0)
    for rate in (1.0, 4.0):
        plant.rate = rate
        await asyncio.sleep(2.0)
        received = [sum(each) for each in _COUNTS]
        core = await _core(pid, 15.0)
        found[f"streams_core_at_{rate:g}"] = round(core - idle, 3)
        gained = [sum(each) - before for each, before in zip(_COUNTS, received, strict=True)]
        found[f"messages_each_at_{rate:g}"] = (min(gained), max(gained))
    found["streams_dropped"] = sum(task.done() for task in follow)
    found["admin_core_idle"] = round(idle, 3)
    for task in follow:
        task.cancel()
    await asyncio.gather(*follow, return_exceptions=True)
    return found


_COUNTS: list[list[int]] = []


async def _follow(url: str, key: str) -> None:
    """Follows one stream and counts its messages, as plain bytes, to use little of this process."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    count = [0]
    _COUNTS.append(count)
    writer.write(
        f"GET /console/stream/overview HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    )
    try:
        while data := await reader.read(1 << 16):
            count[0] += data.count(b"\n\n")
    finally:
        writer.close()


async def _core(pid: Mapping[str, int], seconds: float) -> float:
    before = snapshot(pid, 0)
    await asyncio.sleep(seconds)
    after = snapshot(pid, 0)
    return (after.by_process["admin"] - before.by_process["admin"]) / (after.at - before.at)
