"""Describes a split in a run's document: what was tested where, and which class was seen on which device. Pure."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from registry.run_document import HoldoutFacts, Question, SeenFacts, SplitFacts
from trainer.dataset import Dataset
from trainer.evaluate.known import Known
from trainer.evaluate.split_parts import Split
from zelador.messages import iso

MAX_SEEN = 12  # devices, and classes

Mask = NDArray[np.bool_]


def split_facts(dataset: Dataset, known: Known, plan: Split) -> SplitFacts:
    found = SplitFacts(
        kind=plan.kind,
        asked=plan.asked,
        folds=plan.folds,
        folds_by=plan.folds_by,
        blocks=plan.stretches(plan.training),
        holdout_rows=int(plan.holdout.sum()),
        holdout_blocks=plan.stretches(plan.holdout),
        questions={name: _part(dataset, known, plan, rows) for name, rows in plan.questions.items()},
        learned=_part(dataset, known, plan, plan.training),
        notes=list(plan.notes),
        holdout=_holdout_facts(dataset, plan),
    )
    if (seen := seen_facts(known, plan)) is not None:
        found["seen"] = seen
    return found


def seen_facts(known: Known, plan: Split) -> SeenFacts | None:
    """Returns which class was seen on which device; None if all can be evaluated, or if devices are not known."""
    if not plan.alone or known.devices is None or len(known.names) < 2:
        return None
    counts = np.zeros((len(known.classes), len(known.names)), np.int64)
    np.add.at(counts, (known.labels, known.devices), 1)
    shown = sorted(range(len(known.names)), key=lambda place: (-int(counts[:, place].sum()), known.names[place]))
    shown = sorted(shown[:MAX_SEEN], key=lambda place: known.names[place])
    return SeenFacts(
        devices=[known.names[place] for place in shown],
        of=len(known.names),
        classes={
            name: {
                "rows": counts[number, shown].tolist(),
                "devices": int((counts[number] > 0).sum()),
                "alone": name in plan.alone,
            }
            for number, name in list(enumerate(known.classes))[:MAX_SEEN]
        },
    )


def _part(dataset: Dataset, known: Known, plan: Split, rows: Mask) -> Question:
    """Describes a part of the rows. Times that only count rows are no times of the calendar."""
    dated = dataset.times is not None and dataset.first is not None and rows.any()
    times = dataset.times[rows] if dated and dataset.times is not None else None
    found: Question = {
        "rows": int(rows.sum()),
        "blocks": plan.stretches(rows),
        "devices": None if known.devices is None else len(np.unique(known.devices[rows])),
        "from": None if times is None else iso(int(times.min())),
        "to": None if times is None else iso(int(times.max())),
    }
    return found


def _holdout_facts(dataset: Dataset, plan: Split) -> HoldoutFacts | None:
    rows = np.flatnonzero(plan.holdout)
    if not len(rows):
        return None
    digest = hashlib.sha256(np.ascontiguousarray(dataset.rows[rows]).tobytes())
    digest.update("\0".join(dataset.labels[row] for row in rows).encode())
    times = None if dataset.times is None else dataset.times[rows]
    ends = (None, None) if times is None else (int(times.min()), int(times.max()))
    return {"sha256": digest.hexdigest(), "from": ends[0], "to": ends[1]}
