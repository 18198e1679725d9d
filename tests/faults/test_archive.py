"""SIGKILL of the archiver, also while it merges, at random under load: each confirmed reading is archived once."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from threading import Event

import pytest

from archive.archive import open_archive
from archive.verify import verify
from tests.archived import archived, files_that_count, named_ids
from tests.attacks.own_redis import OwnRedis, settings_of
from tests.buffers import make_writer
from zelador.clock import now_ms
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Reading

KILLS = 200 if os.environ.get("TEST_FAULTS") else 12
REDIS_KILLS = KILLS // 6  # kills of Redis too, so that the archive is ahead of it, or behind
SEED = 20261126


class Children:
    """One archiver at a time, which may be killed."""

    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.faults.archiver_children", url, str(folder)]
        self._parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._child = 0

    def begin(self) -> int:
        assert self._parent.stdin is not None
        self._parent.stdin.write("\n")
        self._parent.stdin.flush()
        self._child = self._said()
        return self._child

    def end(self, pid: int, number: signal.Signals) -> int:
        os.kill(pid, number)
        self._child = 0
        return self._said()

    def close(self) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
        self._parent.communicate(timeout=30)

    def _said(self) -> int:
        assert self._parent.stdout is not None
        return int(self._parent.stdout.readline())


class Load(threading.Thread):
    """Appends readings until told to stop, and notes which Redis has confirmed."""

    def __init__(self, server: OwnRedis) -> None:
        super().__init__(daemon=True)
        self.stop = Event()
        self.confirmed: list[str] = []
        self._writer = make_writer(settings_of(server), Event(), "load")

    def run(self) -> None:
        for step in itertools.count():
            if self.stop.wait(0.002):
                return
            names = [f"r{step}-{place}" for place in range(20)]
            now = now_ms()
            self._writer.append([Arrival("d", (Reading(name, (1.0, 2.0, 3.0), now),), now) for name in names], [])
            self.confirmed += names


@pytest.mark.timeout(900 if os.environ.get("TEST_FAULTS") else 180)
def test_each_acknowledged_reading_is_archived_once_whenever_the_archiver_is_killed(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    folder = tmp_path / "archive"
    (tmp_path / "redis").mkdir()
    server = OwnRedis(tmp_path / "redis")
    load, children = Load(server), Children(server.url, folder)
    try:
        load.start()
        for kill in range(KILLS):
            pid = children.begin()
            time.sleep(draw.uniform(0.0, 0.35))
            if kill % (KILLS // REDIS_KILLS) == 1:
                server.kill()
                server.start()
                time.sleep(draw.uniform(0.0, 0.2))
            assert children.end(pid, signal.SIGKILL) == signal.SIGKILL
        load.stop.set()
        load.join(30)
        ledger = LedgerReader(server.client, "t")
        pid = children.begin()
        left, deadline = -1, time.monotonic() + 60
        while (counts := ledger.read().archive) is None or counts.waiting:
            if counts is not None and counts.waiting != left:
                left, deadline = counts.waiting, time.monotonic() + 60
            assert time.monotonic() < deadline, "the last archiver makes no progress"
            time.sleep(0.05)
        assert children.end(pid, signal.SIGTERM) == 0
        found = archived(folder)
        assert len(load.confirmed) > 20 * KILLS
        assert [name for name in load.confirmed if found.ids[name] != 1] == []
        assert [name for name, times in found.ids.items() if times != 1] == []
        assert named_ids(folder) == found.ids
        final = ledger.read()
        assert (final.unaccounted, counts.missed) == (0, 0)
        assert counts.archived == len(found.rows)
        assert verify(open_archive(folder)).damaged == []
        merged = [path for path in files_that_count(folder) if path.startswith("readings/")]
        adds = sum('"add"' in path.read_text() for path in (folder / "log").glob("*.json"))
        assert len(merged) < adds  # merges were under way too
    finally:
        load.stop.set()
        children.close()
        server.client.close()
        server.kill()
