"""A cut of power, on a disk that is an image in a file."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

MOST_COPIES = 30


def copy_of_a_moment(image: Path, to: Path) -> None:
    """Copies the disk as it is at one moment, although its file system may write while it is copied.

    A block that is the same in two copies, one after the other, had not changed when the first one ended.
    """
    again = to.with_name(f"{to.name}-again")
    shutil.copyfile(image, again)
    for _ in range(MOST_COPIES):
        again.replace(to)
        shutil.copyfile(image, again)
        if filecmp.cmp(to, again, shallow=False):
            again.unlink()
            return
    raise AssertionError("the file system did not stop to write")
