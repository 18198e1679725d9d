"""The run's child process: whatever happens to it, the run ends with a clear line and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from registry.registry import Registry
from registry.run_document import new_run_id
from trainer.dataset import Dataset, assemble
from trainer.run.job import train
from trainer.run.options import Options
from trainer.run.process import Child, RunFailed
from zelador.settings import Settings

pytestmark = pytest.mark.training


@pytest.fixture
def data() -> Dataset:
    rows = [[float(i % 97), float(i % 89)] for i in range(4_000)]
    return assemble(rows, ["x", "y"] * 2_000, ("a", "b"), "a test", 10_000, seed=7)


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_child_killed_in_mid_run_is_a_clear_error(tmp_path: Path, data: Dataset) -> None:
    registry, options, child = Registry.open(tmp_path), Options(new_run_id(), "test", "F1"), Child()
    number = child._process.pid

    def kill_once_it_compares(message: str) -> None:
        if message.startswith("compared"):
            os.kill(number, signal.SIGKILL)

    with pytest.raises(RunFailed, match=r"ended without a result \(killed by SIGKILL"):
        train(data, Settings(), registry, options, Event(), kill_once_it_compares, child)
    assert gone(number)
    assert registry.run(options.run)["state"] == "failed"
    assert registry.sync().models == {}


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path, data: Dataset) -> None:
    registry, options, child = Registry.open(tmp_path), Options(new_run_id(), "test", "F1"), Child()
    with pytest.raises(RunFailed, match=r"longer than 0\.5 s"):
        train(data, Settings(training={"timeout_s": 0.5}), registry, options, Event(), child=child)
    assert gone(child._process.pid)


def test_a_child_does_not_outlive_its_parent(tmp_path: Path, eventually: Callable[..., None]) -> None:
    """SIGKILL: the parent has no time for a goodbye."""
    code = "import time; from trainer.run.process import Child; print(Child()._process.pid, flush=True); time.sleep(99)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: gone(child), "the child to end", within_s=60)


def test_fewer_than_five_and_the_baseline_alone(tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyCaret gives one model bare, not in a list; the baseline is never one of ours. It leaves no log."""
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    registry, said, threads = Registry.open(tmp_path), list[str](), threading.active_count()
    options = Options(new_run_id(), "test", "F1", ("ridge",))
    document = train(data, Settings(), registry, options, Event(), said.append)
    (only,) = document["models"]
    assert only["model_type"] == "Ridge"
    assert only["metrics"]["AUC"] == pytest.approx(0.5, abs=0.1)  # calibrated, so it has probabilities
    assert only["confusion"]["labels"] == ["x", "y"]
    assert "rebuilding Ridge (1 of 1)" in said  # as many as were asked for: nothing to complain about
    assert not any("could be used" in message for message in said)
    assert all(row["seconds"] is not None for row in document["leaderboard"])
    with pytest.raises(RunFailed, match="Dummy: the baseline"):
        train(data, Settings(), registry, Options(new_run_id(), "test", "F1", ("dummy",)), Event())
    assert registry.run(registry.runs()[-1])["state"] in ("done", "failed")
    assert threading.active_count() <= threads
    assert list(here.iterdir()) == []


def test_three_classes_are_ranked_by_an_auc_that_is_one(tmp_path: Path) -> None:
    """From decision values PyCaret scores a silent 0 for logistic regression where there are three classes."""
    rows = [[i % 3 + (i * 7 % 13) / 5, (i * 5 % 11) / 3] for i in range(600)]
    three = assemble(rows, ["abc"[i % 3] for i in range(600)], ("a", "b"), "a test", 10_000, seed=7)
    options = Options(new_run_id(), "test", "AUC", ("lr", "nb", "ridge"))
    document = train(three, Settings(), Registry.open(tmp_path), options, Event())
    found = {model["model_type"]: model["metrics"]["AUC"] for model in document["models"]}
    assert found["LogisticRegression"] > 0.5
    assert found["Ridge"] > 0.5
