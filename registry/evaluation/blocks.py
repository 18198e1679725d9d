"""Blocks: contiguous stretches of time of one device. Blocks count as independent of each other. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_BLOCKS = 24  # in the data set; blocks that are too short leak again
FEWEST_OF_A_DEVICE = 3  # blocks, with many devices
FEWEST_ROWS = 8  # of a block
GAP = 20  # of a device's usual distance between readings: a longer pause ends a recording
CORRELATED = 0.2  # a lower autocorrelation counts as none
MAX_LAG_ROWS = 20_000  # of a device, on which the lag is measured
MAX_LAG_DEVICES = 50

Codes = NDArray[np.int64]


def blocks(devices: Codes | None, times: Codes | None, rows: int, begins: NDArray[np.bool_] | None = None) -> Codes:
    """The number of each row's block, from 0, in order of device and time.

    `devices` are numbers from 0, `times` in any unit that orders the rows of a device; rows of one time stay together.
    Without times a device is one block, and without devices the times are those of a single one. Without both, each
    row is a block of its own. `begins`: the rows that a block may begin with; all of them without it.
    """
    if times is None:
        return np.arange(rows) if devices is None else np.unique(devices, return_inverse=True)[1].astype(np.int64)
    codes = np.zeros(rows, np.int64) if devices is None else devices
    order = np.lexsort((times, codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    found = np.empty(rows, np.int64)
    number = 0
    for part in np.split(order, starts[1:]):
        cut = _cut(times[part], _blocks_of(len(part), rows), None if begins is None else begins[part])
        found[part] = number + cut
        number += int(cut[-1]) + 1
    return found


def recordings(devices: Codes | None, times: Codes, rows: int) -> Codes:
    """The number of each row's recording: rows of a device without a pause of GAP times the usual one.

    A stretch of fewer than FEWEST_ROWS rows belongs to the recording before it.
    """
    codes = np.zeros(rows, np.int64) if devices is None else devices
    order = np.lexsort((times, codes))
    found = np.empty(rows, np.int64)
    number = 0
    for part in np.split(order, np.flatnonzero(np.diff(codes[order], prepend=-1))[1:]):
        steps = np.diff(times[part])
        usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
        start = 0
        for pause in [*(np.flatnonzero(steps > GAP * usual) + 1).tolist(), len(part)]:
            if pause - start >= FEWEST_ROWS or pause == len(part):
                short = pause - start < FEWEST_ROWS and start > 0
                found[part[start:pause]] = number - 1 if short else number
                number += 0 if short else 1
                start = pause
    return found


def _blocks_of(rows: int, total: int) -> int:
    """How many blocks a device with `rows` of `total` rows has."""
    wanted = max(FEWEST_OF_A_DEVICE, round(MOST_BLOCKS * rows / total))
    return max(1, min(wanted, rows // FEWEST_ROWS))


def _cut(times: Codes, count: int, begins: NDArray[np.bool_] | None) -> Codes:
    """Cuts sorted times into `count` blocks of about equally many; fewer if many are equal, or few may begin one."""
    places = np.arange(1, count) * len(times) // count
    firsts = np.searchsorted(times, times[places], side="left")
    if begins is not None:
        firsts = nearest(np.flatnonzero(begins & (np.diff(times, prepend=times[0]) > 0)), firsts)
    starts = np.unique(firsts[firsts > 0])
    return np.searchsorted(starts, np.arange(len(times)), side="right").astype(np.int64)


def nearest(allowed: Codes, places: Codes) -> Codes:
    """The nearest allowed place for each place; empty if none is allowed. `allowed` is sorted."""
    if not len(allowed):
        return allowed
    after = np.searchsorted(allowed, places).clip(0, len(allowed) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(allowed[before] - places) <= np.abs(allowed[after] - places)
    return np.where(is_before, allowed[before], allowed[after]).astype(np.int64)


def lag(rows: NDArray[np.float64] | NDArray[np.float32], devices: Codes | None, times: Codes) -> int:
    """The number of rows after which the autocorrelation of the slowest feature is below CORRELATED.

    For each feature, the median over the devices. Missing values count as the mean; a constant feature has no lag.
    """
    codes = np.zeros(len(rows), np.int64) if devices is None else devices
    order = np.lexsort((times, codes))
    parts = np.split(order, np.flatnonzero(np.diff(codes[order], prepend=-1))[1:])
    longest = sorted(parts, key=len, reverse=True)[:MAX_LAG_DEVICES]
    by_device = [[_lag(np.asarray(column, np.float64)) for column in rows[part[:MAX_LAG_ROWS]].T] for part in longest]
    return int(np.median(np.array(by_device), axis=0).max()) if by_device else 0


def _lag(values: NDArray[np.float64]) -> int:
    if np.isnan(values).all():
        return 0
    centered = np.where(np.isnan(values), 0.0, values - np.nanmean(values))
    size = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.fft.rfft(centered, size)
    correlation = np.fft.irfft(spectrum * spectrum.conjugate(), size)[: len(values)]
    if correlation[0] <= 1e-12 * len(values):
        return 0
    below = np.flatnonzero(correlation / correlation[0] < CORRELATED)
    return int(below[0]) if len(below) else len(values)
