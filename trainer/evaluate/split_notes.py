"""Writes the notes of a split: what was decided, and what it cannot show. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.blocks import lag
from registry.evaluation.bootstrap import FEWEST_BLOCKS
from trainer.evaluate.known import Known
from trainer.evaluate.near_copies import near_copies
from trainer.evaluate.split_parts import Split
from trainer.evaluate.stretches import Named, named
from trainer.evaluate.trend import trends
from zelador.printable import counted

Codes = NDArray[np.int64]


def split_notes(known: Known, plan: Split, whole: Codes | None, naming: Named) -> list[str]:
    """Returns notes on what the split cannot show. `whole` has the recording of each row, if recordings are whole."""
    notes = [f"the class {name!r} is {where}, so it cannot be evaluated elsewhere: its rows do not count"
             for name, where in plan.alone.items()]  # fmt: skip
    if known.order == "time" and known.times is not None:
        notes.append("no time is known; neighboring rows are alike, so the order of the rows stands for the time")
    if whole is not None:
        notes.append("the label is the same throughout a recording, so whole recordings are tested together")
    elif known.times is not None and plan.folds_by == "block":
        for code in _single_runs(known, known.times):
            if known.classes[code] not in plan.alone:
                name = repr(known.classes[code])
                notes.append(f"the class {name} is one uninterrupted stretch: models may learn the time, not the class")
    held_out = plan.holdout
    if held_out.any() and (absent := set(range(len(known.classes))) - set(known.labels[held_out].tolist())):
        notes.append(f"the hold-out has no row of {', '.join(repr(known.classes[code]) for code in sorted(absent))}")
    if known.times is not None and whole is None and plan.folds_by == "block":
        notes += _slow_notes(known, known.times, naming.features)
    return notes


def _slow_notes(known: Known, times: Codes, named_features: tuple[int, ...]) -> list[str]:
    """Returns a note if readings change so slowly that all together are few independent ones.

    Features that have a note of their own do not count: those that identify stretches, or rise or fall throughout.

    A series of correlated readings is worth as many independent ones as it is times longer than their correlation
    (Bayley and Hammersley, 1946). Blocks that are shorter than that resemble each other, so intervals are too narrow.
    """
    told = {*named_features, *trends(known.values, known.devices, times)}
    others = [place for place in range(known.values.shape[1]) if place not in told]
    slowest = lag(known.values[:, others], known.devices, times) if others else 0
    worth = known.count / max(1, slowest)
    if worth >= FEWEST_BLOCKS:
        return []
    return [
        f"readings resemble each other over {slowest} rows, so all rows are worth only about "
        f"{counted(round(worth), 'independent stretch', 'independent stretches')}: how good a model is on others "
        "cannot be told"
    ]


def _single_runs(known: Known, times: Codes) -> list[int]:
    """Returns the classes that begin only once, with the rows ordered by device and time."""
    devices = np.zeros(known.count, np.int64) if known.devices is None else known.devices
    labels = known.labels[np.lexsort((times, devices))]
    begins = labels[np.flatnonzero(np.diff(labels, prepend=-1))]
    found: list[int] = np.flatnonzero(np.bincount(begins, minlength=len(known.classes)) == 1).tolist()
    return found


def naming_notes(known: Known, naming: Named) -> list[str]:
    """Returns a note about the features that identify stretches of time, if there are any."""
    if not naming.features:
        return []
    names = [repr(known.features[place]) if known.features else f"number {place + 1}" for place in naming.features]
    own = (
        f"the features {', '.join(names[:-1])} and {names[-1]} have values of their own in each stretch of time, which "
        "identify the stretch and say nothing about others: leave them out if that is so"
        if len(names) > 1
        else f"the feature {names[0]} has a value of its own in each stretch of time, which identifies the stretch and "
        "says nothing about others: leave it out if that is so"
    )
    tested = (
        "such stretches are never cut between folds"
        if naming.begins is not None
        else "some optimism is left in all scores, because a class is in only one such stretch"
    )
    return [f"{own}; {tested}"]


def naming_notes_in_order(known: Known) -> list[str]:
    """Returns a note about features that identify stretches, in order of time or of rows; drawn rows leak them."""
    times = np.arange(known.count, dtype=np.int64) if known.times is None else known.times
    found = named(known.values, known.labels, known.devices, times)
    return naming_notes(known, replace(found, begins=None)) if found.features else []


def trend_notes(known: Known) -> list[str]:
    """Returns a note for each feature that rises or falls throughout the data."""
    if known.times is None:
        return []
    found = []
    for place, way in trends(known.values, known.devices, known.times).items():
        name = repr(known.features[place]) if known.features else f"number {place + 1}"
        found.append(
            f"the feature {name} {way} throughout the data, so later rows have values of it that no model has learned, "
            "and how good a model is on them cannot be told: leave it out if it is a counter, a clock or the "
            "charge of a battery"
        )
    return found


def near_copy_notes(known: Known) -> list[str]:
    """Returns a note if many rows are almost equal to rows of another time."""
    share = near_copies(known.values, known.devices, known.times)
    if not share:
        return []
    return [
        f"{share:.0%} of the rows are almost equal to rows of another time, as if they were copied and changed a "
        "little: scores can be far too good, and how good a model is on other rows cannot be told; leave copies out"
    ]
