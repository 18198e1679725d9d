"""Draws some of many rows, by class: no class vanishes, and their shares stay where that is possible. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def draw(labels: Sequence[str], count: int, fewest: int, seed: int) -> NDArray[np.int64]:
    """The places of `count` rows (all if there are fewer), in order. Each class keeps at least `fewest` of its rows, as
    far as `count` allows.
    """
    quotas = _quotas(Counter(labels), count, fewest)
    random = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    drawn = [random.choice(places[label], quota, replace=False) for label, quota in sorted(quotas.items())]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, np.int64)


def _quotas(counts: Counter[str], count: int, fewest: int) -> dict[str, int]:
    """How many rows of each class: its floor first, then shares of the rest by what is left of it."""
    total = counts.total()
    if count >= total:
        return dict(counts)
    floor = max(1, min(fewest, count // max(1, len(counts))))
    quotas = {label: min(rows, floor) for label, rows in counts.items()}
    if sum(quotas.values()) > count:  # more classes than rows: the largest have one each
        return dict.fromkeys((label for label, _ in counts.most_common(count)), 1)
    shares = {label: max(0.0, count * rows / total - quotas[label]) for label, rows in counts.items()}
    left, whole = count - sum(quotas.values()), sum(shares.values())
    for label, share in shares.items():
        quotas[label] += min(counts[label] - quotas[label], int(left * share / whole)) if whole else 0
    for label, _ in counts.most_common():  # what rounding left
        more = min(count - sum(quotas.values()), counts[label] - quotas[label])
        quotas[label] += more
    return quotas
