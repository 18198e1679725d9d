"""Statistics of a column of numbers, without a library. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

LAGS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)
INDEPENDENT = 0.2  # readings with a lower autocorrelation count as independent


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return quantile(sorted(values), 0.5)


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Returns Pearson's correlation; None if one of them does not vary. Pairs with a missing value are left out."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a == a and b == b]
    if len(pairs) < 3:
        return None
    count = len(pairs)
    mean_a, mean_b = math.fsum(a for a, _ in pairs) / count, math.fsum(b for _, b in pairs) / count
    var_a = math.fsum((a - mean_a) ** 2 for a, _ in pairs)
    var_b = math.fsum((b - mean_b) ** 2 for _, b in pairs)
    if var_a <= 0 or var_b <= 0:
        return None
    return math.fsum((a - mean_a) * (b - mean_b) for a, b in pairs) / math.sqrt(var_a * var_b)


def autocorrelation(values: Sequence[float], lag: int) -> float | None:
    return correlation(values[:-lag], values[lag:]) if len(values) > lag + 2 else None


def block_rows(sequences: Sequence[Sequence[float]]) -> int:
    """Returns how many neighboring rows belong together: the lag at which readings of a device become independent."""
    for lag in LAGS:
        found = [each for values in sequences if (each := autocorrelation(values, lag)) is not None]
        if not found or sum(found) / len(found) < INDEPENDENT:
            return lag
    return LAGS[-1]


def separation(values: Sequence[float], is_class: Sequence[bool]) -> float:
    """Returns how well one threshold separates a class from the rest: the best balanced accuracy, 0.5 to 1."""
    positives = sum(is_class)
    negatives = len(is_class) - positives
    if not positives or not negatives:
        return 0.5
    best, below_positive, below_negative = 0.5, 0, 0
    ordered = sorted(zip(values, is_class, strict=True))
    for place, (value, positive) in enumerate(ordered):
        below_positive += positive
        below_negative += not positive
        if place + 1 < len(ordered) and ordered[place + 1][0] == value:
            continue
        accuracy = (below_positive / positives + 1 - below_negative / negatives) / 2
        best = max(best, accuracy, 1 - accuracy)
    return best
