"""Reports where CPU time is spent: in the workers (cProfile's files) and in Redis (its command statistics)."""

from __future__ import annotations

import io
import pstats
from pathlib import Path
from typing import Any

import redis

ROWS_SHOWN = 25


def tops(folder: Path) -> str:
    """The functions with the most own time, for each worker."""
    parts = []
    for name in ("ingest", "inference"):
        path = folder / f"{name}.profile"
        if not path.exists():
            parts.append(f"{name}: there is no profile")
            continue
        output = io.StringIO()
        pstats.Stats(str(path), stream=output).sort_stats("tottime").print_stats(ROWS_SHOWN)
        parts.append(f"── {name} ──{output.getvalue()}")
    return "\n".join(parts)


def redis_commands(url: str) -> str:
    """Redis's commands by total time. A command called by a script counts in the script and on its own."""
    with redis.Redis.from_url(url, socket_timeout=5.0) as client:
        statistics: Any = client.info("commandstats")
    rows = sorted(statistics.items(), key=lambda item: -item[1]["usec"])
    lines = [f"{'command':<24}{'calls':>12}{'ms':>12}{'µs a call':>12}"]
    for name, found in rows[:ROWS_SHOWN]:
        command = name.removeprefix("cmdstat_")
        lines.append(
            f"{command:<24}{found['calls']:>12,}{found['usec'] / 1000:>12,.0f}{found['usec_per_call']:>12,.1f}"
        )
    return "── redis ──\n" + "\n".join(lines)
