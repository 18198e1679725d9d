"""Makes the background fsync of a Redis slow on any file system, so that it answers before it writes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOG = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile os.getppid() == int(sys.argv[2]): pass"


@contextlib.contextmanager
def slow_fsync(pid: int) -> Iterator[None]:
    """The thread that calls fdatasync gets only what another process leaves of one core: a queued fsync takes long."""
    if sys.platform != "linux":
        pytest.skip("the threads of another process can be scheduled on Linux only")
    core = min(os.sched_getaffinity(0))
    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if _syncs(task)]
    assert threads, "this Redis has no thread for fsync"
    for thread in threads:
        os.sched_setaffinity(thread, {core})
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    hog = subprocess.Popen([sys.executable, "-c", HOG, str(core), str(os.getpid())])
    try:
        yield
    finally:
        hog.kill()
        hog.wait(60)


def _syncs(task: Path) -> bool:
    return (task / "comm").read_text().startswith("bio_aof")
