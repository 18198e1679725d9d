"""The checks of a run before it spends any time."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from registry.registry import Registry
from registry.run_document import LeaderboardRow
from trainer.compare.engines import check_engine
from trainer.dataset import assemble
from trainer.run.events import CandidateEnded
from trainer.run.job import train
from trainer.run.options import More, Options
from trainer.run.process import Cancelled, Child
from trainer.run.recorder import Recorder
from trainer.run.run_end import note_end
from zelador.clock import now_iso
from zelador.errors import InvalidInput
from zelador.settings import Settings
from zelador.training_queue.event import decode_all

RUN = "20261124_115838-aaaa"
GOOD = assemble([[float(i)] for i in range(60)], ["x", "y"] * 30, ("a",), "a test", 100, seed=7)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"candidates": ("lr", "magic")}, "no candidate 'magic'; choose from lr, knn"),
        ({"names": ("one", "one")}, "'one' is named twice"),
        ({"more": More(exclude=("magic",))}, "exclude: there is no candidate 'magic'"),
        ({"candidates": ("lr",), "more": More(exclude=("lr",))}, "no candidate would be left"),
        ({"names": ("one", "two"), "register": (1,)}, "2 names, but only 1 models"),
        ({"names": ("one",), "register": False}, "1 names, but only 0 models"),
        ({"register": (1, 6)}, "there is no rank 6: this run keeps the best 5"),
    ],
)
def test_a_request_that_cannot_be_met_starts_no_process(tmp_path: Path, asked: dict[str, Any], says: str) -> None:
    registry = Registry.open(tmp_path)
    with pytest.raises(InvalidInput, match=says):
        train(GOOD, Settings(), registry, Options("20261124_115838-a38d", "test", "F1", **asked), Event())
    assert registry.runs() == []


def test_a_cluster_whose_packages_are_not_installed_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"PARALLEL=ray needs ray, which is not installed; .* 'fugue\[ray\]'"):
        check_engine("ray")


def test_a_run_that_is_cancelled_keeps_what_it_has_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry, recorder = Registry.open(tmp_path), Recorder("F1")
    row = LeaderboardRow(place=None, id="lr", model_type="Logistic", metrics={"F1": 0.8}, seconds=1.0, trouble=None)

    def compare_one(_folder: Path, child: Child, *_: Any) -> Any:
        child.close()
        recorder.heard(CandidateEnded(row, 1, 2))
        raise Cancelled("cancelled by key 2")

    monkeypatch.setattr("trainer.run.job.session.run", compare_one)
    with pytest.raises(Cancelled):
        train(GOOD, Settings(), registry, Options(RUN, "test", "F1"), Event(), recorder)
    document = registry.run(RUN)
    assert (document["state"], document["error"]) == ("cancelled", "cancelled by key 2")
    assert document["leaderboard"] == [{**row, "place": 1}]
    assert [event.kind for event in decode_all(registry.run_events(RUN) or b"")][-1] == "candidate_ended"


def test_a_run_whose_trainer_was_killed_ends_in_the_registry_too(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path)
    registry.put_run(RUN, {"run": RUN, "by": "test", "started_at": now_iso(), "state": "running"})
    note_end(registry, RUN, "the trainer was stopped")
    assert (registry.run(RUN)["state"], registry.run(RUN)["error"]) == ("failed", "the trainer was stopped")
    registry.put_run(RUN, {"run": RUN, "by": "test", "started_at": now_iso(), "state": "done"})
    note_end(registry, RUN, "the trainer was stopped")
    assert registry.run(RUN)["state"] == "done"
    note_end(registry, "20261124_115838-ffff", "it never began")  # the registry does not know it
