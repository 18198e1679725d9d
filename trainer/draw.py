"""Draws some of many rows by class. No class disappears, and class shares are kept where possible. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archive.dataset.quotas import class_quotas


def draw(labels: Sequence[str], count: int, fewest: int, seed: int) -> NDArray[np.int64]:
    """Returns the places of `count` rows (all if there are fewer), in order.

    Each class keeps at least `fewest` of its rows, as far as `count` allows.
    """
    quotas = class_quotas(Counter(labels), count, fewest)
    random = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    drawn = [random.choice(places[label], quota, replace=False) for label, quota in sorted(quotas.items())]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, np.int64)
