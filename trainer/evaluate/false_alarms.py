"""Counts the false alarms per day with the threshold, in answers on rows that were not learned. Pure."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.blocks import GAP
from registry.evaluation.scores import Answers

DAY_MS = 86_400_000

Codes = NDArray[np.int64]


class FalseAlarms(TypedDict):
    """False alarms per device and day without the positive class. Consecutive wrong readings are one alarm."""

    alarms: float
    readings: float
    device_days: float  # in the data


def false_alarms(answers: Answers, place: int, devices: Codes | None, times: Codes) -> FalseAlarms | None:
    """Counts the false alarms; None if all rows are of the positive class, or of one moment. `times` are in ms."""
    codes = np.zeros(len(times), np.int64) if devices is None else devices
    order = np.lexsort((times, codes))
    begins = np.diff(codes[order], prepend=-1) != 0
    steps = np.diff(times[order], prepend=0)
    moved = steps[~begins & (steps > 0)]
    if not len(moved):
        return None
    usual = float(np.median(moved))
    lasts = np.where(begins | (steps > GAP * usual), usual, steps)  # a gap does not count as time without alarms
    is_normal = answers.expected[order] != place
    days = float(lasts[is_normal].sum()) / DAY_MS
    if not days > 0:
        return None
    is_wrong = is_normal & (answers.predicted[order] == place)
    follows = np.append(False, is_wrong[:-1]) & ~begins & (steps <= GAP * usual)
    return FalseAlarms(
        alarms=round(float((is_wrong & ~follows).sum()) / days, 3),
        readings=round(float(is_wrong.sum()) / days, 3),
        device_days=round(days, 3),
    )
