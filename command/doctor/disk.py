"""Checks the free space on the disks that hold data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from command.doctor.finding import Finding, broken, fine, risky

BROKEN_BYTES, RISKY_BYTES = 256 * 1_048_576, 2 * 1_073_741_824
LOST = {
    "registry": "no readings; trained models cannot be saved and no model can be selected",
    "archive": "no readings at first; what waits beyond ZELADOR_ARCHIVE__HOLD_BYTES is lost to the archive",
    "redis": "nothing that was acknowledged; Redis refuses writes and readings wait at the broker",
    "broker": "messages queued at the broker, if it dies: it can no longer write its snapshot",
}


def judge(what: str, folder: Path, free: int | None) -> Finding:
    check, fix = f"disk.{what}", f"free space on the disk that holds {folder}"
    if free is None:
        return risky(check, f"cannot read {folder}", LOST[what], "run zelador doctor as a user with access to it")
    free_text = f"{free / 1_073_741_824:,.1f} GiB free for {folder}"
    if free < BROKEN_BYTES:
        return broken(check, free_text, LOST[what], fix)
    if free < RISKY_BYTES:
        return risky(check, free_text, f"soon: {LOST[what]}", fix)
    return fine(check, free_text)


def look(folders: Mapping[str, Path]) -> Iterator[Finding]:
    for what, folder in folders.items():
        yield judge(what, folder, free_bytes(folder))


def free_bytes(folder: Path) -> int | None:
    """Returns the free space for a folder; None if unknown. A folder that does not exist counts as its parent."""
    try:
        near = next(path for path in (folder, *folder.parents) if path.exists())
        return shutil.disk_usage(near).free
    except (OSError, StopIteration):
        return None
