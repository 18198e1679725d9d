"""Where the workers' time goes, from what cProfile left when they ended."""

from __future__ import annotations

import io
import pstats
from pathlib import Path

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
