"""Computes the alarm rule of a model: the quickest rule that gives few false alarms on its own answers. Pure.

The out-of-fold answers on the training rows are replayed in order of time, without the rows of the alarm class. This is
what a device without trouble would send. The quickest rule that gives at most TARGET alarms per device and week wins.
Alarms that are too rare to be counted in the data are extrapolated from how often fewer readings of a window are high.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.evaluation.scores import Answers
from zelador.alarms import Rule

COUNTS = ((3, 5), (4, 6), (5, 8), (6, 10), (8, 12), (12, 18), (20, 30), (30, 45), (45, 60))  # (on_count, window)
HIGHS = (0.7, 0.8, 0.9, 0.95, 0.99)
WEEK_MS = 7 * 86_400_000
USUAL_GAP_MS = 10_000.0  # between two readings of a device, if the data have no times
TARGET = 0.5  # alarms per device and week: half of the documented rate, because the data are a sample
MAX_REPLAYED = 200_000  # readings, the newest
ENOUGH_SEEN = 3  # occurrences that are not chance
OFF_SHARE = 0.8  # of the window
OFF_PROBABILITY = 0.95  # least probability that a normal window ends an alarm

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]


def alarm_rule(answers: Answers, alarm: str, devices: Codes | None, times: Codes | None) -> dict[str, float] | None:
    """Returns the rule for a model of two classes, and the alarms per device and week that it gives on its own data.

    `devices` and `times` (ms) belong to the same rows as `answers`. Returns None if the model has no probabilities, or
    if one of the classes has no row.
    """
    if answers.probabilities is None or len(answers.classes) != 2:
        return None
    place = answers.classes.index(alarm)
    shares, predicted, is_alarm = answers.probabilities[:, place], answers.predicted == place, answers.expected == place
    order = _order(len(shares), devices, times)
    normal = order[~is_alarm[order]]
    if not len(normal) or not is_alarm.any():
        return None
    gap_ms = _gap_ms(devices, times)
    apart = round(Rule().off_s * 1000 / gap_ms)
    normal = normal[-MAX_REPLAYED:]
    weeks = len(normal) * gap_ms / WEEK_MS
    best: tuple[float, int, int, float] | None = None
    for on_count, window in COUNTS:
        for high in HIGHS:
            is_high = predicted & (shares >= high)
            if float(is_high[is_alarm].mean()) * window < on_count:
                continue  # this rule would miss a device in trouble
            rate = _expected_alarms(is_high[normal], on_count, window, max(window, apart)) / weeks
            if best is None or rate < best[0]:
                best = rate, on_count, window, high
            if rate <= TARGET:
                return _rule(shares[normal], on_count, window, high, rate)
    return None if best is None else _rule(shares[normal], best[1], best[2], best[3], best[0])


def _expected_alarms(levels: Mask, on_count: int, window: int, apart: int) -> float:
    """Returns the number of alarms to expect in this many readings: the number seen, or more if that was luck."""
    total = np.concatenate([[0], np.cumsum(levels)])
    high = total[1:] - total[np.maximum(0, np.arange(1, len(total)) - window)]  # high readings per window, by its end
    seen = [_count_alarms(high, count, apart) for count in range(1, on_count + 1)]
    often = max((place for place, count in enumerate(seen) if count >= ENOUGH_SEEN), default=0)
    least = max(1, seen[often])  # an alarm that was not seen in this many readings may still happen
    ratio = seen[often] / seen[often - 1] if often else min(1.0, window * least / len(levels))
    return max(seen[-1], least * ratio ** (on_count - 1 - often))


def _rule(normal: NDArray[np.float64], on_count: int, window: int, high: float, rate: float) -> dict[str, float]:
    low = min(high, max(Rule().low, float(np.quantile(normal, 0.9))))
    calm = float((normal < low).mean())
    off_count = max(1, round(OFF_SHARE * window))
    while off_count > 1 and _probability_of_at_least(off_count, window, calm) < OFF_PROBABILITY:
        off_count -= 1
    return {
        "on_count": on_count,
        "window": window,
        "off_count": off_count,
        "high": high,
        "low": round(low, 4),
        "per_device_and_week": round(rate, 3),
    }


def _order(count: int, devices: Codes | None, times: Codes | None) -> Codes:
    """Returns the places of the rows, ordered by device, then by time."""
    keys: list[Any] = [key for key in (times, devices) if key is not None]
    return np.lexsort(keys) if keys else np.arange(count)


def _gap_ms(devices: Codes | None, times: Codes | None) -> float:
    """Returns the median time between two readings of a device."""
    if times is None or len(times) < 2:
        return USUAL_GAP_MS
    order = _order(len(times), devices, times)
    gaps = np.diff(times[order])
    if devices is not None:
        gaps = gaps[np.diff(devices[order]) == 0]
    gaps = gaps[gaps > 0]
    # Times that count rows (1, 2, 3 …) are the order of a file, not a clock.
    return USUAL_GAP_MS if not len(gaps) or float(np.median(gaps)) < 10 else float(np.median(gaps))


def _count_alarms(high: Codes, on_count: int, apart: int) -> int:
    """Counts how often at least `on_count` readings of a window are high; within `apart` readings it is one alarm."""
    on = np.flatnonzero(high >= on_count)
    return 0 if not len(on) else 1 + int((np.diff(on) > apart).sum())


def _probability_of_at_least(count: int, of: int, share: float) -> float:
    """Returns the probability of at least `count` successes in `of` trials, each with probability `share`."""
    return sum(math.comb(of, n) * share**n * (1 - share) ** (of - n) for n in range(count, of + 1))
