"""Tuned, blended and stacked candidates are tested on the run's folds: none benefits from rows that it must not know.

The work runs in this process, so that PyCaret is imported once for all tests here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from registry.model import manifest
from registry.model.artifact import open_classifier
from trainer.dataset import Dataset, assemble
from trainer.evaluate.split import split
from trainer.evaluate.threshold import Aim
from trainer.run import request
from trainer.run.events import Event, Result
from trainer.run.job import known_of, request_of
from trainer.run.options import More, Options
from zelador.settings import Settings

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


def do(
    folder: Path,
    data: Dataset,
    candidates: tuple[str, ...],
    more: More,
    aim: Aim | None = None,
    metric: str = "MCC",
) -> Result:
    import trainer.run.work as work
    from trainer.run.reporter import Reporter

    options = Options("20260101_000000-0000", "test", metric, candidates, aim=aim or Aim(), more=more)
    known = known_of(data)
    plan = split(known, "auto", None, None, 7)
    asked = request_of(data, Settings(), options, plan, None)
    request.write(folder, asked, data.rows, plan, known.devices, known.times)
    said: list[Event] = []
    return work.run(folder, Reporter(said.append))


def with_a_hash(devices: int = 6) -> Dataset:
    """Devices with forty stretches of eight rows; each stretch has a random label and a unique value."""
    draw = np.random.default_rng(1)
    stretch = np.repeat(np.arange(40 * devices), 8)
    labels = draw.permutation(np.arange(40 * devices) % 2)[stretch]
    rows = np.stack([draw.random(40 * devices)[stretch], draw.normal(size=len(stretch))], axis=1)
    return assemble(
        rows.tolist(), [f"c{label}" for label in labels], ("hash", "noise"), "a test", 10_000, 7,
        devices=[f"d{number // 40}" for number in stretch], times=[60_000 * i for i in range(len(stretch))],
        calendar=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def leak(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("leak")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        more = More(tune_s=1.5, blend=True, stack=True, balance=True)
        return folder, do(folder, with_a_hash(), ("dt", "nb"), more, Aim(recall=0.5))


def test_a_hash_of_device_and_stretch_is_at_chance_however_it_is_used(leak: tuple[Path, Result]) -> None:
    """The feature is compared, tuned, blended and stacked, calibrated and with a threshold. With a shuffled split, a
    tree scores well by it."""
    _, result = leak
    board = {row["id"]: row for row in result.leaderboard}
    assert {"dt", "nb", "blend", "stack"} <= set(board)
    assert any(name.startswith("tuned_") for name in board)
    for name, row in board.items():
        assert (row["metrics"]["MCC"] or 0.0) <= 0.05, (name, row["metrics"])
    assert (board["dt"]["shuffled"]["MCC"] or 0.0) > 0.4
    assert result.verdict["kind"] == "nothing_to_learn"


def test_blend_and_stack_are_served_as_they_were_judged(leak: tuple[Path, Result]) -> None:
    """They are packed without a pickle, load with the allow-list, and reproduce their golden rows."""
    folder, result = leak
    types = {each["model_type"]: each for each in result.candidates}
    for kind in ("Blend", "Stack"):
        files = folder / str(types[kind]["rank"])
        saved = msgspec.json.decode((files / manifest.FILE).read_bytes(), type=manifest.Manifest)
        found = open_classifier(saved, "", {path: (files / path).read_bytes() for path in saved.files})
        answer = found.classify(np.array([[0.5, 0.1], [0.1, -1.0]]))
        assert set(answer.labels) <= {"c0", "c1"}
        assert answer.probabilities is not None


def test_when_the_budget_is_used_up_compared_candidates_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = do(tmp_path, with_a_hash(2), ("nb", "dt", "rf", "lr"), More(exclude=("rf",), budget_s=1e-3, tune_s=30.0))
    board = {row["id"]: row for row in result.leaderboard}
    assert set(board) == {"nb", "dt", "lr", "dummy"}
    assert board["nb"]["metrics"]["MCC"] is not None  # the first is finished in any case
    for name in ("dt", "lr", "dummy"):
        assert "the budget of 0.001 s was used up (--budget)" in (board[name]["trouble"] or "")
    assert [each["model_type"] for each in result.candidates] == ["NaiveBayes"]
    assert any("the budget of 0.001 s was used up" in note for note in result.notes)


def test_three_classes_are_ranked_by_an_auc_that_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With three classes, PyCaret silently scores 0 for logistic regression from decision values."""
    monkeypatch.chdir(tmp_path)
    rows = [[i % 3 + (i * 7 % 13) / 5, (i * 5 % 11) / 3] for i in range(600)]
    three = assemble(rows, ["abc"[i % 3] for i in range(600)], ("a", "b"), "a test", 10_000, seed=7)
    result = do(tmp_path, three, ("lr", "nb", "ridge"), More(), metric="AUC")
    found = {each["model_type"]: each["metrics"]["AUC"] for each in result.candidates}
    assert found["LogisticRegression"] > 0.5
    assert found["Ridge"] > 0.5
