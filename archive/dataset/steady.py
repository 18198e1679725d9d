"""Finds runs of equal values of each device, among all readings or among periods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from archive.dataset.columns import Columns

if TYPE_CHECKING:
    from archive.dataset.engine import Engine


class Run(msgspec.Struct, frozen=True, gc=False):
    """A run of `rows` readings with one value, from `begin` to `end` (ms).

    If the value changed in between, `value` is NaN, and `rows` estimates the length of a run.
    """

    rows: int
    begin: int
    end: int
    value: float


Runs = Mapping[str, Sequence[Run]]  # device to its runs, in order


def of_columns(column: Sequence[float], columns: Columns, by_device: Sequence[tuple[str, list[int]]]) -> Runs:
    return {
        name: list(_runs([(columns.measured[row], column[row]) for row in rows if column[row] == column[row]]))
        for name, rows in by_device
    }


def _runs(points: list[tuple[int, float]]) -> Iterator[Run]:
    points.sort()
    begin = 0
    for place in range(1, len(points) + 1):
        if place == len(points) or points[place][1] != points[begin][1]:
            yield Run(place - begin, points[begin][0], points[place - 1][0], points[begin][1])
            begin = place


def of_view(engine: Engine, feature: int) -> Runs:
    """Returns the runs of all readings, from the engine's table `periods`. Raises Unavailable.

    A value that fills whole periods is one run. The runs inside a period with several values are not known.
    """
    import numpy as np

    found = engine.table(
        f"select device, first, last, known{feature}::bigint as rows, low{feature} as low, high{feature} as high "
        f"from periods where known{feature} > 0 order by device, period"
    )
    if not found.num_rows:
        return {}
    devices = found["device"].combine_chunks().dictionary_encode()
    codes = devices.indices.to_numpy()
    first, last, rows, low, high = (found[name].to_numpy() for name in ("first", "last", "rows", "low", "high"))
    same = low == high
    goes_on = same[1:] & same[:-1] & (low[1:] == low[:-1]) & (codes[1:] == codes[:-1])
    starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    ends = np.concatenate([starts[1:], [len(codes)]]) - 1
    counts = np.where(same[starts], np.add.reduceat(rows, starts), np.maximum(1, rows[starts] // 2))
    values = np.where(same[starts], low[starts], np.nan)
    runs: dict[str, list[Run]] = {name: [] for name in devices.dictionary.to_pylist()}
    names = devices.dictionary.to_pylist()
    for code, *run in zip(
        codes[starts].tolist(), counts.tolist(), first[starts].tolist(), last[ends].tolist(), values.tolist(),
        strict=True,
    ):  # fmt: skip
        runs[names[code]].append(Run(*run))
    return runs
