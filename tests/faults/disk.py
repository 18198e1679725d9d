"""The disk of a site: the type of its file system, and a load that keeps it busy with syncing.

On tmpfs an fsync costs nothing, and Redis never answers before it has written, so a test there would prove nothing.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from command.up import tether

IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")
ROOT = Path(__file__).parent.parent.parent
SIZE = 8 * 1_048_576  # bytes of the writer's file
BLOCK = 262_144
REST_S = 0.002  # between two writes: it loads the disk, not the processor
WRITER = """
import os, sys, time
name, size, block = sys.argv[1], int(sys.argv[2]), os.urandom(int(sys.argv[3]))
place = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_DSYNC, 0o600)
at = 0
while True:
    os.pwrite(place, block, at)
    os.fsync(place)
    at = (at + len(block)) % size
    time.sleep(float(sys.argv[4]))
"""


def filesystem(folder: Path) -> str:
    """The file system's type and device, such as "ext4 on /dev/sda1"; "unknown" if the system does not say."""
    folder = folder.resolve()
    best, found = -1, "unknown"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            source, place, kind = line.split()[:3]
            mounted = Path(place.encode().decode("unicode_escape"))
            if folder.is_relative_to(mounted) and len(mounted.parts) >= best:
                best, found = len(mounted.parts), f"{kind} on {source}"
    return found


def in_memory(folder: Path) -> bool:
    return filesystem(folder).split()[0] in IN_MEMORY


def data_folder(prefix: str) -> Path:
    """A new folder on a disk: in the system's temporary folder, or beside the code if that one is in memory."""
    given = Path(os.environ.get("TEST_DATA") or tempfile.gettempdir())
    if in_memory(given):
        given = ROOT / ".data"
        given.mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=given))


@contextlib.contextmanager
def kept_busy(folder: Path) -> Iterator[None]:
    """Another process writes and syncs on the same file system, again and again, within SIZE bytes."""
    name = folder / "busy"
    command = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), sys.executable, "-I", "-S", "-c", WRITER)
    writer = subprocess.Popen((*command, str(name), str(SIZE), str(BLOCK), str(REST_S)))
    try:
        yield
    finally:
        writer.kill()
        writer.wait(30)
        name.unlink(missing_ok=True)
