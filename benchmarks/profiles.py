"""Where the time goes: the workers' from what cProfile left when they ended, Redis's from its own count."""

from __future__ import annotations

import io
import pstats
from pathlib import Path
from typing import Any

import redis

SHOWN = 25


def tops(folder: Path) -> str:
    """The functions that took most time themselves, for each worker."""
    parts = []
    for name in ("ingest", "inference"):
        path = folder / f"{name}.profile"
        if not path.exists():
            parts.append(f"{name}: it left no profile")
            continue
        said = io.StringIO()
        pstats.Stats(str(path), stream=said).sort_stats("tottime").print_stats(SHOWN)
        parts.append(f"── {name} ──{said.getvalue()}")
    return "\n".join(parts)


def redis_commands(url: str) -> str:
    """Redis's commands by the time that they took; a script's own calls are counted inside it and by themselves."""
    with redis.Redis.from_url(url, socket_timeout=5.0) as client:
        counted: Any = client.info("commandstats")
    rows = sorted(counted.items(), key=lambda item: -item[1]["usec"])
    lines = [f"{'command':<24}{'calls':>12}{'ms':>12}{'µs a call':>12}"]
    for name, found in rows[:SHOWN]:
        command = name.removeprefix("cmdstat_")
        lines.append(
            f"{command:<24}{found['calls']:>12,}{found['usec'] / 1000:>12,.0f}{found['usec_per_call']:>12,.1f}"
        )
    return "── redis ──\n" + "\n".join(lines)
