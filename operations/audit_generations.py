"""The files of the audit log: `audit.jsonl`, and the older `audit-<time>.jsonl`, whose names sort by time."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from pathlib import Path

STAMP = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
FORMAT = "%Y%m%dT%H%M%S.%fZ"


def generations(path: Path, before: str | None = None) -> list[tuple[Path, int]]:
    """Each file with its size, newest first, without those that hold only ids from `before` on."""
    older = sorted(_renamed(path), reverse=True)
    found = [path, *(each for _, each in older)]
    if before is not None:
        # The entries of a file were written after the previous file was renamed.
        begins = [round(stamp.timestamp() * 1e6) * 1_000 for stamp, _ in older]
        found = [each for number, each in enumerate(found) if number >= len(begins) or begins[number] < int(before)]
    legacy = path.with_name(f"{path.name}.1")  # the only renamed file of earlier versions
    return [(each, size) for each in (*found, legacy) if (size := _size(each)) is not None]


def next_name(path: Path) -> Path:
    """A name for the full file that sorts after all others, even if the clock is wrong."""
    stamp = time.time_ns() // 1_000
    if newest := max((stamp_ for stamp_, _ in _renamed(path)), default=None):
        stamp = max(stamp, round(newest.timestamp() * 1e6) + 1)
    text = datetime.fromtimestamp(stamp / 1e6, timezone.utc).strftime(FORMAT)
    return path.with_name(f"{path.stem}-{text}{path.suffix}")


def removable(path: Path, until: float) -> list[Path]:
    """Renamed files whose newest entry is older than `until` (seconds since 1970 UTC), oldest first."""
    return [each for stamp, each in sorted(_renamed(path)) if stamp.timestamp() < until]


def _renamed(path: Path) -> list[tuple[datetime, Path]]:
    head = f"{path.stem}-"
    found = []
    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return []
    for name in names:
        stamp = name.removeprefix(head).removesuffix(path.suffix)
        if name.startswith(head) and name.endswith(path.suffix) and STAMP.fullmatch(stamp):
            try:
                moment = datetime.strptime(stamp, FORMAT).replace(tzinfo=timezone.utc)
            except ValueError:
                continue
            found.append((moment, path.with_name(name)))
    return found


def _size(path: Path) -> int | None:
    """The size of a file; None if it does not exist or is not a regular file."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
