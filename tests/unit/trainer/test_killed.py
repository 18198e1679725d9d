"""A run whose process was killed does not count as running: its process is checked, or its time limit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from operations.acts import runs
from registry.registry import Registry
from registry.run_trainer import TrainerFacts, began_of, death_of, this_process
from zelador.clock import now_iso
from zelador.errors import Conflict, NotFound


@pytest.fixture
def process() -> Iterator[subprocess.Popen]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def facts_of(pid: int) -> TrainerFacts:
    return {**this_process(60), "pid": pid, "began": began_of(pid) or ""}


def test_this_process_counts_as_running() -> None:
    assert death_of(this_process(60)) is None
    assert death_of(None) is None  # the document of an earlier version


def test_a_killed_process_is_found_before_and_after_its_parent_saw_it(process: subprocess.Popen) -> None:
    found = facts_of(process.pid)
    assert death_of(found) is None
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert f"process {process.pid}) was killed" in (death_of(found) or "")
    process.wait()
    assert "was killed" in (death_of(found) or "")


def test_another_process_of_the_same_number_is_not_taken_for_it() -> None:
    assert "was killed" in (death_of({**this_process(60), "began": "an earlier boot/17"}) or "")


def test_a_process_on_another_machine_counts_until_its_time_limit() -> None:
    elsewhere: TrainerFacts = {**this_process(60), "host": "another", "pid": 1, "began": "x"}
    assert death_of(elsewhere) is None
    late = datetime.now(timezone.utc) + timedelta(hours=2)
    assert "without reporting" in (death_of(elsewhere, now=late) or "")


def test_whoever_saves_the_models_of_a_killed_run_is_told_so(tmp_path: Path) -> None:
    registry, run = Registry.open(tmp_path), "20261127_035635-e5bb"
    killed: TrainerFacts = {**this_process(60), "began": "an earlier boot/17"}
    begun = {"run": run, "by": "me", "started_at": now_iso(), "state": "running"}
    registry.put_run(run, {**begun, "trainer": killed})
    with pytest.raises(NotFound, match=r"has no candidates to save: its trainer .* was killed"):
        runs.picks(registry, run, None, (), ())
    registry.put_run(run, {**begun, "trainer": this_process(60)})
    with pytest.raises(Conflict, match="has not ended"):
        runs.picks(registry, run, None, (), ())
