"""Room on the disks that hold what must not be lost. The rule is pure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from command.doctor.finding import Finding, broken, fine, risky

LEAST, LITTLE = 256 * 1_048_576, 2 * 1_073_741_824
LOST = {
    "registry": "no reading; a trained model cannot be saved, nothing can be selected",
    "redis": "nothing that was acknowledged: Redis refuses writes, readings wait at the broker",
    "broker": "what waits at the broker, when it dies: its snapshot is not written any more",
}


def judge(what: str, folder: Path, free: int | None) -> Finding:
    check, mend = f"disk.{what}", f"make room on the disk of {folder}"
    if free is None:
        return risky(check, f"{folder} cannot be looked at", LOST[what], "run zelador doctor as a user who may read it")
    said = f"{free / 1_073_741_824:,.1f} GiB free for {folder}"
    if free < LEAST:
        return broken(check, said, LOST[what], mend)
    if free < LITTLE:
        return risky(check, said, f"soon: {LOST[what]}", mend)
    return fine(check, said)


def look(folders: Mapping[str, Path]) -> Iterator[Finding]:
    for what, folder in folders.items():
        yield judge(what, folder, free_bytes(folder))


def free_bytes(folder: Path) -> int | None:
    """Where the folder is not yet made, of the one that it will be made in."""
    try:
        near = next(path for path in (folder, *folder.parents) if path.exists())
        return shutil.disk_usage(near).free
    except (OSError, StopIteration):
        return None
