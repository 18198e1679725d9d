"""Archivers that start quickly: a process that has done the imports forks one per input line, and prints its pid.

Run as `python -m tests.faults.archiver_children REDIS_URL FOLDER`. A child archives in small batches and merges files
all the time, so that a kill at a random moment hits a write, a commit, a merge or the step in Redis.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from threading import Event
from typing import Any

from archive import compact, maintain, service
from archive.layout import File
from zelador.settings import ArchiveSettings, RedisSettings, Settings


def settings_of(url: str, folder: str) -> Settings:
    archive = ArchiveSettings(url=folder, write_s=0.02, batch_readings=300, grace_s=0.5)
    return Settings(redis=RedisSettings(url=url, prefix="t"), archive=archive)


def hasten() -> None:
    service.IDLE_S = 0.005
    maintain.EVERY_S, maintain.SWEEP_S, maintain.CLOSE_S = 0.01, 0.2, 10.0
    compact.MERGED_FILES = 4
    original = compact.plan

    def any_size(files: Any, today: str) -> Any:
        """Sometimes merges the files of the current day like those of a past one."""
        return original(files, "9" if random.random() < 0.05 else today)

    maintain.plan = any_size
    compact._size = lambda file: _tier(file)


def _tier(file: File) -> int:
    return 0 if file.rows < 2_000 else 1


def main() -> None:
    url, folder = sys.argv[1:]
    hasten()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(settings_of(url, folder))
            os._exit(0)
        say(pid)
        say(os.waitpid(pid, 0)[1])


def child(settings: Settings) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    service.run(settings, stop)


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
