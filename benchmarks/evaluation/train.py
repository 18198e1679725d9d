"""A run of the trainer without its processes, and the scores of its models on later rows.

PyCaret is imported once, so that many runs fit into minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from archive.dataset.fewest import DRAWN_HOLDOUT, FOLDS
from registry.evaluation.scores import Answers, scores
from registry.model import manifest
from registry.model.artifact import open_classifier
from trainer.dataset import Dataset, check
from trainer.evaluate.split import split
from trainer.run import request
from trainer.run.events import Result
from trainer.run.job import known_of, request_of
from trainer.run.options import Options
from trainer.run.reporter import Reporter
from zelador.settings import load_settings

METRIC = "MCC"
CANDIDATES = ("lr", "qda", "knn", "rf")


@dataclass(frozen=True, slots=True)
class Run:
    """A run's result, and the score of each of its models on rows of later days, by model type."""

    result: Result
    kind: str
    folds_by: str
    holdout_blocks: int
    notes: list[str]
    later: dict[str, float | None]


def train(data: Dataset, candidates: Sequence[str], seed: int, later: Dataset | None = None) -> Run:
    """Trains as a run does. Raises InvalidInput if a run would refuse the data."""
    from trainer.run import work

    check(data, FOLDS, DRAWN_HOLDOUT)
    settings = load_settings(training={"seed": seed, "candidates": ",".join(candidates)})
    options = Options("20260101_000000-0000", "benchmark", METRIC, tuple(candidates))
    known = known_of(data)
    plan = split(known, options.split, None, None, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = request_of(data, settings, options, plan, None)
        request.write(folder, asked, data.rows, plan, known.devices, known.times)
        result = work.run(folder, Reporter(lambda _: None))
        found = {}
        for each in result.candidates if later is not None else ():
            found[each["model_type"]] = _score(folder / str(each["rank"]), later) if later is not None else None
    held = plan.stretches(plan.holdout) or 0
    return Run(result, plan.kind, plan.folds_by, held, [*plan.notes, *result.notes], found)


def _score(folder: Path, later: Dataset) -> float | None:
    """Returns the score of a packed model, as a worker would serve it."""
    saved = msgspec.json.decode((folder / manifest.FILE).read_bytes(), type=manifest.Manifest)
    files = {path: (folder / path).read_bytes() for path in saved.files}
    answer = open_classifier(saved, "", files).classify(later.rows)
    return scores(Answers.of(later.labels, answer.labels, saved.classes, answer.probabilities))[METRIC]
