"""Computes how many rows of each class and block to draw. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def class_quotas(counts: Mapping[str, int], count: int, fewest: int) -> dict[str, int]:
    """Returns the number of rows of each class: `fewest` of each, then shares of the rest by its remaining rows."""
    total = sum(counts.values())
    if count >= total:
        return dict(counts)
    floor = max(1, min(fewest, count // max(1, len(counts))))
    quotas = {label: min(rows, floor) for label, rows in counts.items()}
    common = Counter(counts).most_common()
    if sum(quotas.values()) > count:  # more classes than rows: the largest classes have one each
        return dict.fromkeys((label for label, _ in common[:count]), 1)
    shares = {label: max(0.0, count * rows / total - quotas[label]) for label, rows in counts.items()}
    left, whole = count - sum(quotas.values()), sum(shares.values())
    for label, share in shares.items():
        quotas[label] += min(counts[label] - quotas[label], int(left * share / whole)) if whole else 0
    for label, _ in common:  # the rows that rounding left over
        more = min(count - sum(quotas.values()), counts[label] - quotas[label])
        quotas[label] += more
    return quotas


def block_quotas(rows: NDArray[np.int64], quota: int) -> NDArray[np.int64]:
    """Returns the number of rows of each block of a class, in proportion, rounded so that their sum is `quota`."""
    ends = np.cumsum(rows)
    if not len(ends) or quota >= ends[-1]:
        return rows
    shares = [int(end) * quota // int(ends[-1]) for end in ends]
    return np.diff(np.array([0, *shares], np.int64))
