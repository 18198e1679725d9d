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

import psutil
import pytest

from registry.registry import Registry
from registry.run_document import new_run_id
from trainer.dataset import Dataset, assemble
from trainer.run.job import train
from trainer.run.options import Options
from trainer.run.process import Child, Control, RunFailed
from trainer.run.recorder import Recorder
from zelador.settings import Settings
from zelador.training_queue.event import RunEvent, decode_all

pytestmark = pytest.mark.training


@pytest.fixture
def data() -> Dataset:
    rows = [[float(i % 97), float(i % 89)] for i in range(1_000)]
    return assemble(rows, ["x", "y"] * 500, ("a", "b"), "a test", 10_000, seed=7)


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_child_killed_while_it_prepares_is_a_clear_error(tmp_path: Path, data: Dataset) -> None:
    registry, options, child = Registry.open(tmp_path), Options(new_run_id(), "test", "F1"), Child()
    number = child._process.pid

    def kill_before_it_compares(event: RunEvent) -> None:
        if event.message == "preparing the classifiers":
            os.kill(number, signal.SIGKILL)

    with pytest.raises(RunFailed, match=r"ended without a result \(killed by SIGKILL"):
        train(data, Settings(), registry, options, Event(), Recorder("F1", kill_before_it_compares), child)
    assert gone(number)
    assert registry.run(options.run)["state"] == "failed"
    assert registry.sync().models == {}


def test_a_candidate_that_kills_its_process_costs_only_itself_and_a_run_can_be_finished_early(
    tmp_path: Path, data: Dataset
) -> None:
    """A candidate dies as if memory ran out, and a new process compares the rest. Then somebody asks the run to finish,
    and another process completes it, as it does when the time is up. Nothing is compared twice."""
    registry, options = Registry.open(tmp_path), Options(new_run_id(), "test", "F1", ("nb", "lr", "dt", "ridge"))
    happened, control = list[RunEvent](), Control(Event())

    def interfere(event: RunEvent) -> None:
        happened.append(event)
        name = event.candidate.id if event.kind == "candidate_started" and event.candidate is not None else None
        if name == "lr":
            (number,) = (child.pid for child in psutil.Process().children() if trains(child))
            os.kill(number, signal.SIGKILL)
        if name == "ridge" or event.message.startswith("rebuilding"):  # the second time is too late, and ignored
            control.enough.set()

    recorder = Recorder("F1", interfere)
    document = train(data, Settings(), registry, options, Event(), recorder, control=control)
    assert {model["model_type"] for model in document["models"]} == {"NaiveBayes", "DecisionTree"}
    board = {row["id"]: str(row["trouble"]) for row in document["leaderboard"]}
    assert "it ended the training process (killed by SIGKILL" in board["lr"]
    assert "someone asked the run to finish" in board["ridge"]
    said = [event.message for event in happened]
    asked = "someone asked the run to finish early"
    (stopped,) = [each for each in said if each.endswith(f"it was not finished: {asked}")]
    assert stopped.startswith("compared 3 of 4 classifiers; Ridge")  # without the baseline
    assert f"{asked}: 2 of 4 classifiers were compared" in document["split"]["notes"]
    assert [each for each in said if each.startswith("rebuilding")][-1].endswith("(2 of 2)")
    started = [event.candidate.id for event in happened if event.kind == "candidate_started" and event.candidate]
    assert started == ["nb", "lr", "dt", "ridge"]  # each once, except for the baseline
    folds = [(event.candidate.id, event.fold) for event in happened if event.kind == "fold_ended" and event.candidate]
    assert {("nb", 1), ("nb", 2), ("dt", 1)} <= set(folds)
    waiting = [[each.id for each in event.waiting] for event in happened if event.kind == "candidate_started"]
    assert waiting[0] == ["lr", "dt", "ridge", "dummy"]
    ended = [(event.kind, event.done) for event in happened if event.kind in ("candidate_ended", "candidate_failed")]
    failed, good = "candidate_failed", "candidate_ended"
    assert ended == [(good, 1), (failed, 2), (good, 3), (failed, 3)]  # the last was stopped
    boards = [[standing.id for standing in event.leaderboard] for event in happened if event.leaderboard]
    assert [sorted(ids[:-2]) + ids[-2:] for ids in boards[-1:]] == [["dt", "nb", "lr", "ridge"]]
    assert [event.number for event in happened] == list(range(1, len(happened) + 1))
    assert decode_all(registry.run_events(options.run)) == happened


def trains(child: psutil.Process) -> bool:
    try:
        return any("trainer.run.child" in part for part in child.cmdline())
    except psutil.NoSuchProcess:  # of an earlier test, whose exit code was not read yet
        return False


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path, data: Dataset) -> None:
    registry, options, child = Registry.open(tmp_path), Options(new_run_id(), "test", "F1"), Child()
    with pytest.raises(RunFailed, match=r"longer than 0\.5 s"):
        train(data, Settings(training={"timeout_s": 0.5}), registry, options, Event(), child=child)
    assert gone(child._process.pid)


def test_a_child_exits_with_its_parent(tmp_path: Path, eventually: Callable[..., None]) -> None:
    """The parent is killed with SIGKILL, so it cannot stop its child."""
    code = "import time; from trainer.run.process import Child; print(Child()._process.pid, flush=True); time.sleep(99)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: gone(child), "the child to end", within_s=60)


def test_a_run_may_have_fewer_than_five_candidates_or_only_the_baseline(
    tmp_path: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyCaret returns a single model without a list; the baseline is never registered. The run leaves no log."""
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    registry, said, threads = Registry.open(tmp_path), list[str](), threading.active_count()
    options = Options(new_run_id(), "test", "F1", ("ridge",))
    recorder = Recorder("F1", lambda event: said.append(event.message))
    document = train(data, Settings(), registry, options, Event(), recorder)
    (only,) = document["models"]
    assert only["model_type"] == "Ridge"
    assert only["metrics"]["AUC"] == pytest.approx(0.5, abs=0.1)  # calibrated, so it has probabilities
    assert only["confusion"]["labels"] == ["x", "y"]
    assert "rebuilding Ridge (1 of 1)" in said  # as many as requested, so there is no note
    assert not any("could be used" in message for message in said)
    assert all(row["seconds"] is not None for row in document["leaderboard"])
    with pytest.raises(RunFailed, match="Dummy: the baseline"):
        train(data, Settings(), registry, Options(new_run_id(), "test", "F1", ("dummy",)), Event())
    assert registry.run(registry.runs()[-1])["state"] in ("done", "failed")
    assert threading.active_count() <= threads
    assert list(here.iterdir()) == []
