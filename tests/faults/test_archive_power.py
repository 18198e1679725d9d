"""Power cuts while an archive is written and merged: what was committed is on the disk, once, and nothing is damaged.

The archive is on a file system of its own, in an image. A copy of the image at some moment is the disk after a cut: it
has what the file system has handed on, and not what was only in memory.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archive.archive import open_archive
from archive.paths import settle
from archive.verify import verify
from tests.archived import named_ids
from tests.support.power_cut import copy_of_a_moment

CUTS = int(os.environ.get("TEST_POWER_CUTS", "60"))
SEED = 20261127
IMAGE_BYTES = 96 << 20

pytestmark = pytest.mark.skipif(not os.environ.get("TEST_FAULTS"), reason="minutes; set TEST_FAULTS=1")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    try:
        run("mount", "-o", "loop", str(image), str(at))
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"an image cannot be mounted here: {error}")
    try:
        yield at
    finally:
        run("umount", "-l", str(at))  # lazily: another process may be looking at all file systems now


def work_until_a_cut(image: Path, after: Path, at: Path, number: int, length_s: float) -> list[str]:
    """Leaves the disk after the cut in `after`; returns what was said to be committed."""
    with mounted(image, at) as folder:
        command = [sys.executable, "-m", "tests.faults.power_child", str(folder / "archive"), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            said = child.stdout.readline()  # it takes a while to begin
            time.sleep(length_s)
            child.send_signal(signal.SIGSTOP)
            copy_of_a_moment(image, after)
            child.kill()
            said += child.stdout.read()
    return [name for line in said.splitlines() if said.endswith("\n") or line != said.splitlines()[-1]
            for name in line.split()]  # fmt: skip


@pytest.mark.timeout(3_600)
def test_readings_committed_before_a_power_cut_are_archived_once(tmp_path: Path) -> None:
    draw, committed = random.Random(SEED), list[str]()
    image, after = tmp_path / "disk", tmp_path / "after"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    run("mkfs.ext4", "-q", "-F", str(image))
    for number in range(CUTS):
        committed += work_until_a_cut(image, after, tmp_path / "work", number, draw.uniform(0.0, 0.4))
        after.replace(image)
        with mounted(image, tmp_path / "look") as folder:
            archive = open_archive(folder / "archive", make=True)
            report = verify(archive)
            assert report.damaged == [], f"cut {number}"
            settle(archive.store, archive.log)
            found = named_ids(folder / "archive")
            assert [name for name in committed if found[name] != 1] == [], f"cut {number}"
            assert {name: times for name, times in found.items() if times != 1} == {}, f"cut {number}"
            assert sum(found.values()) == report.readings
    assert len(committed) >= 5 * CUTS
