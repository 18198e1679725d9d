"""Finds features that identify a stretch of time: their level is constant in it, and no other stretch has it. Pure.

Examples are the number of a batch or a session, and a sensor that is mounted again for each recording. A model that has
seen a part of such a stretch recognizes the rest, so a split must not cut one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.blocks import FEWEST_ROWS

JUMP = 10  # times a feature's usual step: a larger step begins a new level
APART = 3  # standard deviations between a level and the next one
MOST_ROWS = 0.5  # share of rows that must be on levels of their own
FEWEST_OF_A_CLASS = 2  # stretches with a class; with fewer, nothing could be tested

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Named:
    """The features (by place) that identify stretches: one, or several that do so together.

    `begins` marks the rows at which a block may begin; None if blocks may begin anywhere.
    """

    features: tuple[int, ...]
    begins: Mask | None


def named(values: Array, labels: Codes, devices: Codes | None, times: Codes) -> Named:
    """Finds the features. Blocks may begin anywhere without any, or if a class would be in only one stretch."""
    codes = np.zeros(len(labels), np.int64) if devices is None else devices
    order = np.lexsort((times, codes))
    first = np.diff(codes[order], prepend=-1) != 0
    columns = [_filled(column) for column in np.asarray(values[order], np.float64).T]
    found = list(_identifying(columns, first))
    if not found:
        return Named((), None)
    # A block begins where the levels of all these features begin, or else where those of the steadiest feature begin.
    begins = np.logical_and.reduce([levels for _, levels in found])
    if not _tests_each_class(labels[order], begins):
        begins = min((levels for _, levels in found), key=lambda each: int(each.sum()))
    features = tuple(dict.fromkeys(place for places, _ in found for place in places))
    if not _tests_each_class(labels[order], begins):
        return Named(features, None)
    of_row = np.empty(len(labels), bool)
    of_row[order] = begins
    return Named(features, of_row)


def _identifying(columns: Sequence[Array], first: Mask) -> Iterator[tuple[tuple[int, ...], Mask]]:
    """Yields the features that identify stretches, each with the rows at which its levels begin."""
    steady: list[int] = []
    single = False
    for place, column in enumerate(columns):
        begins = _level_begins(column, first)
        if int(begins.sum()) <= int(first.sum()):
            continue  # it never changes within a device
        if _are_apart(column, begins):
            single = True
            yield (place,), begins
        elif _share_of_long(begins) >= MOST_ROWS:
            steady.append(place)
    if not single and len(steady) > 1:
        joined = np.unique(np.stack([columns[place] for place in steady]), axis=1, return_inverse=True)[1]
        column = joined.ravel().astype(np.float64)
        begins = _level_begins(column, first, exact=True)
        if _are_apart(column, begins):
            yield tuple(steady), begins


def _level_begins(column: Array, first: Mask, exact: bool = False) -> Mask:
    """Marks where a new level begins: at each device's first row, and at a step far larger than the usual one."""
    steps = np.abs(np.diff(column, prepend=column[0]))
    usual = 0.0 if exact else float(np.median(steps[~first])) if not first.all() else 0.0
    begins: Mask = first | (steps > JUMP * usual)
    return begins


def _are_apart(column: Array, begins: Mask) -> bool:
    """Returns whether most rows are on long levels that no other stretch has."""
    level = np.cumsum(begins) - 1
    rows = np.bincount(level)
    mean = np.bincount(level, weights=column) / rows
    spread = np.sqrt(np.maximum(0.0, np.bincount(level, weights=(column - mean[level]) ** 2) / rows))
    order = np.argsort(mean, kind="stable")
    gaps = np.diff(mean[order])
    needed = APART * (spread[order][1:] + spread[order][:-1])
    clear = (gaps > needed) & (gaps > 1e-9 * max(1.0, float(np.abs(mean).max())))
    alone = np.empty(len(rows), bool)
    alone[order] = np.append(clear, True) & np.insert(clear, 0, True)
    return float(rows[alone & (rows >= FEWEST_ROWS)].sum()) >= MOST_ROWS * len(column)


def _share_of_long(begins: Mask) -> float:
    rows = np.bincount(np.cumsum(begins) - 1)
    return float(rows[rows >= FEWEST_ROWS].sum() / rows.sum())


def _tests_each_class(labels: Codes, begins: Mask) -> bool:
    level = np.cumsum(begins) - 1
    pairs = np.unique(np.stack([labels, level]), axis=1)[0]
    seen = np.bincount(pairs)
    return bool((seen[seen > 0] >= FEWEST_OF_A_CLASS).all())


def _filled(column: Array) -> Array:
    """Replaces each missing value with the one before it."""
    known = ~np.isnan(column)
    if known.all():
        return column
    if not known.any():
        return np.zeros_like(column)
    last = np.maximum.accumulate(np.where(known, np.arange(len(column)), -1))
    return np.where(last >= 0, column[last], column[known][0])
