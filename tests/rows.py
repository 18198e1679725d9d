"""Data sets for tests, from readings that are written in the test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from trainer.dataset import Choice, Dataset, select
from zelador.ranges import Ranges


def from_readings(
    readings: Iterable[tuple[Sequence[float], str, int, str]],
    features: Sequence[str],
    choice: Choice,
    ranges: Ranges | None = None,
) -> Dataset:
    """Makes a data set from the values, label, time of measurement (ms) and device of each reading."""
    rows = list(readings)
    matrix = np.array([row[0] for row in rows], dtype=np.float64).reshape(len(rows), len(features))
    labels, times, devices = ([row[at] for row in rows] for at in (1, 2, 3))
    return select(
        matrix, [label.strip() for label in labels], features, "the buffer", choice, devices=devices, times=times,
        ranges=ranges,
    )  # fmt: skip
