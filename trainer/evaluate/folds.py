"""Assigns rows to folds. The rows of a group are tested together. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from archive.dataset.fewest import fewest_rows
from zelador.errors import InvalidInput

MAX_GROUPS = 2_000  # more groups are merged at random
TRIES = 50  # draws until each class is in at least two folds

Codes = NDArray[np.int64]


def giveaway(labels: Codes, devices: Codes, of_block: Codes) -> float:
    """Returns how much better a device's name predicts a block's labels than the most frequent label does.

    Both are shares of rows. The prediction for a block is the most frequent label of the device's other blocks.
    """
    counts = table(labels, of_block)
    owner = np.zeros(len(counts), np.int64)
    owner[of_block] = devices
    of_device = np.zeros((int(devices.max()) + 1, counts.shape[1]))
    np.add.at(of_device, owner, counts)
    others = of_device[owner] - counts
    total = counts.sum(axis=0)
    others[others.sum(axis=1) == 0] = total  # a device with a single block
    right = counts[np.arange(len(counts)), others.argmax(axis=1)].sum()
    return float((right - total.max()) / len(labels))


def table(labels: Codes, groups: Codes) -> NDArray[np.float64]:
    """Counts the rows of each label in each group, (groups, labels)."""
    width = int(labels.max()) + 1
    counts = np.bincount(groups * width + labels, minlength=(int(groups.max()) + 1) * width)
    return counts.reshape(-1, width).astype(np.float64)


def assign(labels: Codes, groups: Codes, asked: int | None, default: int, seed: int) -> tuple[int, Codes]:
    """Returns the number of folds, and the fold of each row. The rows of a group are in the same fold.

    Each class is tested in at least two folds, so that all classes can be learned for each fold.
    Raises InvalidInput for more folds than groups, and for a class that is in one group only.
    """
    names, groups = np.unique(groups, return_inverse=True)
    if asked is not None and asked > len(names):
        raise InvalidInput(
            f"{asked} folds (ZELADOR_TRAINING__FOLDS) need as many stretches of time or devices; there are {len(names)}"
        )
    count = min(asked or default, len(names))
    if len(names) > MAX_GROUPS:
        groups = (np.random.default_rng(seed % (1 << 32)).permutation(len(names)) % MAX_GROUPS)[groups]
    for folds in [count] if asked else range(count, 1, -1):
        for attempt in range(TRIES):
            draw = StratifiedGroupKFold(folds, shuffle=True, random_state=(seed + attempt) % (1 << 32))
            found = np.full(len(labels), -1, np.int64)
            for number, (_, test) in enumerate(draw.split(labels, labels, groups)):
                found[test] = number
            if len(np.unique(found)) == folds and _is_in_two_folds(labels, found):
                return folds, found
    raise InvalidInput("a class is in too few stretches of time or devices to be learned in one and tested in another")


def _is_in_two_folds(labels: Codes, found: Codes) -> bool:
    return all(len(np.unique(found[labels == label])) > 1 for label in np.unique(labels))


def drawn(
    labels: Codes, classes: Sequence[str], folds: int, share: float, seed: int
) -> tuple[NDArray[np.bool_], Codes]:
    """Draws the rows at random, stratified by class. Returns which are held out, and the fold of each of the others.

    Raises InvalidInput for a class with too few rows.
    """
    counts = np.bincount(labels, minlength=len(classes))
    need, rarest = fewest_rows(folds, share), int(counts.argmin())
    if counts[rarest] < need:
        rows_are = "is 1 row" if counts[rarest] == 1 else f"are {counts[rarest]} rows"
        raise InvalidInput(
            f"there {rows_are} of the class {classes[rarest]!r}; {folds} folds and a hold-out "
            f"need at least {need} of each: label more readings, or use fewer folds (ZELADOR_TRAINING__FOLDS)"
        )
    rows = np.arange(len(labels))
    _, holdout = train_test_split(rows, test_size=share, stratify=labels, random_state=seed % (1 << 32))
    out = np.isin(rows, holdout)
    found = np.empty(int((~out).sum()), np.int64)
    draw = StratifiedKFold(folds, shuffle=True, random_state=seed % (1 << 32))
    for number, (_, test) in enumerate(draw.split(labels[~out], labels[~out])):
        found[test] = number
    return out, found
