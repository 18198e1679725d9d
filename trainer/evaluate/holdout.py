"""Chooses the hold-out: rows that no candidate, calibration or threshold sees. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.blocks import blocks

NEW_DEVICE, LATER, DRAWN, EMBARGO = -1, -2, -3, -4  # mark a row that is not in a fold; a fold is 0 or above
FEWEST_DEVICES = 5
FEWEST_OF_A_CLASS = 3  # devices that have the class
LEFT_OF_A_CLASS = 2  # devices or blocks with the class that must remain for the folds
WHOLE_BLOCKS = 6  # a device with fewer blocks is cut by rows, because a whole block would be too large a part
EMBARGO_SHARE = 0.1  # of the rows of such a device

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def devices(labels: Codes, codes: Codes, classes: int, share: float, seed: int) -> tuple[list[int] | None, str]:
    """Returns the devices to hold out, about `share` of them with each class on one; or None, and why not."""
    names, places = np.unique(codes, return_inverse=True)
    has = np.bincount(places * classes + labels, minlength=len(names) * classes).reshape(-1, classes) > 0
    if len(names) < FEWEST_DEVICES:
        return None, f"there are {len(names)}, and at least {FEWEST_DEVICES} are needed"
    if (fewest := int(has.sum(axis=0).min())) < FEWEST_OF_A_CLASS:
        return None, f"a class is on {fewest} of them, and at least {FEWEST_OF_A_CLASS} are needed"
    wanted = max(1, round(share * len(names)))
    chosen: list[int] = []
    left, covered = has.sum(axis=0), np.zeros(classes, bool)
    for place in np.random.default_rng(seed).permutation(len(names)).tolist():
        needed = len(chosen) < wanted or bool((has[place] & ~covered).any())
        if needed and bool((left - has[place] >= LEFT_OF_A_CLASS).all()):
            chosen.append(place)
            left, covered = left - has[place], covered | has[place]
        if len(chosen) >= wanted and covered.all():
            break
    if not covered.any() or int(covered.sum()) < 2:
        return None, "too few devices would be left for a class"
    return [int(names[place]) for place in chosen], ""


def last_period(
    labels: Codes,
    codes: Codes | None,
    times: Codes,
    tested: Codes,
    of_block: Codes,
    share: float,
    whole: bool,
    begins: Mask | None = None,
) -> tuple[tuple[Codes, Codes] | None, str]:
    """Holds out the last `share` of each device's time, with an embargo before it. Earlier marks in `tested` are kept.

    Returns where each row is tested and its block; or None and the reason, if training would lose a class.
    `whole`: blocks are recordings, which are never cut and need no embargo. `begins` marks where a block may begin.
    """
    marks, cut = tested.copy(), of_block.copy()
    known = np.zeros(len(labels), np.int64) if codes is None else codes
    order = np.lexsort((times, known))
    order = order[tested[order] >= 0]
    for rows in np.split(order, np.flatnonzero(np.diff(known[order])) + 1):
        names = of_block[rows][np.sort(np.unique(of_block[rows], return_index=True)[1])]  # ordered by time
        if whole or len(names) >= WHOLE_BLOCKS:
            count = round(share * len(names)) if whole else max(1, round(share * len(names)))
            marks[rows[np.isin(of_block[rows], names[len(names) - count :])]] = LATER
            if not whole:
                marks[rows[of_block[rows] == names[-count - 1]]] = EMBARGO
        else:
            _cut(rows, times[rows], share, len(names), marks, cut, None if begins is None else begins[rows])
    training, later = marks >= 0, marks == LATER
    if not later.any():
        return None, "the stretches are too few or too short"
    for label in np.unique(labels):
        before = min(LEFT_OF_A_CLASS, len(np.unique(of_block[(tested >= 0) & (labels == label)])))
        if len(np.unique(cut[training & (labels == label)])) < before:
            return None, "no row of a class would be left to learn from"
    if len(np.unique(labels[later])) < 2:
        return None, "it would have only one class"
    return (marks, cut), ""


def _cut(rows: Codes, times: Codes, share: float, count: int, marks: Codes, cut: Codes, begins: Mask | None) -> None:
    """Cuts a device that has few blocks by rows, into blocks, embargo and hold-out."""
    first = _cut_place(times, begins, len(rows) - max(1, round(share * len(rows))))
    before = _cut_place(times, begins, first - max(1, round(EMBARGO_SHARE * len(rows))))
    if before <= 0:
        return  # too short: all its rows are for training
    number = int(cut.max()) + 1
    marks[rows[first:]], marks[rows[before:first]] = LATER, EMBARGO
    cut[rows[before:]] = number
    again = blocks(None, times[:before], before, None if begins is None else begins[:before])
    cut[rows[:before]] = number + 1 + again * min(count, int(again.max()) + 1) // (int(again.max()) + 1)


def _cut_place(times: Codes, begins: Mask | None, place: int) -> int:
    """Returns where to cut, at or before `place`. Readings of one moment, or of an uncut stretch, stay together."""
    if not 0 <= place < len(times):
        return place
    found = int(np.searchsorted(times, times[place], side="left"))
    while begins is not None and found > 0 and not (begins[found] and times[found] > times[found - 1]):
        found -= 1
    return found
