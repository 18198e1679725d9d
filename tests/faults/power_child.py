"""Writes files to an archive, merges and sweeps them all the time, and prints each reading that is committed.

Run as `python -m tests.faults.power_child FOLDER ROUND`, until it is killed.
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from archive.archive import open_archive
from archive.paths import settle
from tests.integration.test_archive_files import DAY_MS, MONDAY, maintenance, write


def main() -> None:
    archive = open_archive(Path(sys.argv[1]), make=True)
    settle(archive.store, archive.log)
    begin = MONDAY + int(sys.argv[2]) * DAY_MS
    for step in itertools.count():
        names = [f"r{sys.argv[2]}-{step}-{place}" for place in range(5)]
        write(archive, begin + step * 1_000, *names)
        sys.stdout.write(" ".join(names) + "\n")
        sys.stdout.flush()
        if step % 5 == 4:
            maintenance(archive, grace_s=0.3).round(lambda: max(time.time(), begin / 1_000 + 3 * 86_400))


if __name__ == "__main__":
    main()
