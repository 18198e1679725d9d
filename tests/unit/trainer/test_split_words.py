"""Every note about a split that a reader of the console can meet is in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timezone

import numpy as np
import pytest

from admin.console.language import language
from admin.console.runs.words import said_text
from trainer.evaluate.known import Known
from trainer.evaluate.split import split
from trainer.evaluate.split_parts import Asked

PT = language("pt-BR", timezone.utc)
DRAW = np.random.default_rng(3)
ROWS = 1_200


def known(
    labels: np.ndarray, devices: np.ndarray | None, times: bool, values: np.ndarray | None = None, order: str = "none"
) -> Known:
    rows = DRAW.normal(size=(ROWS, 2)) if values is None else values
    names = () if devices is None else tuple(f"m{number}" for number in range(int(devices.max()) + 1))
    at = np.arange(ROWS, dtype=np.int64) * 60_000 if times else None
    classes = tuple(f"class {number}" for number in range(int(labels.max()) + 1))
    return Known(rows, labels, classes, devices, names, at, ("lux", "dust"), order)  # type: ignore[arg-type]


def cases() -> Iterator[tuple[Known, Asked]]:
    by = np.arange(ROWS)
    often, few, many = (by // 20) % 2, by % 2, by % 8
    alone = np.where((many == 3) & (by > 600), 2, often)
    yield known(often, many, True), "auto"
    yield known(often, few, True), "auto"
    yield known(alone, many, True), "auto"
    yield known(often, None, True), "auto"
    yield known(often, None, False), "auto"
    yield known(often, None, False, order="unclear"), "auto"
    yield known(often, many, True), "random"
    yield known(often, many, False), "device"
    yield known((by > 600).astype(np.int64), None, True), "auto"
    yield known((many > 3).astype(np.int64), many, True), "auto"
    slow = np.cumsum(DRAW.normal(size=(ROWS, 2)), axis=0)
    yield known(often, many, True, slow), "auto"
    yield known(often, many, True, np.round(DRAW.normal(size=(ROWS, 2)))), "auto"  # copies
    own = np.stack([DRAW.normal(size=ROWS), (by // 20).astype(float)], axis=1)
    yield known(often, None, True, own), "auto"
    yield known(often, many, True, own), "random"
    half = DRAW.normal(size=(ROWS // 2, 2))
    yield known(often, many, True, np.concatenate([half, half + 1e-5 * DRAW.normal(size=half.shape)])), "auto"
    yield known(often, None, True, np.stack([by, -by], axis=1).astype(float)), "auto"


@pytest.mark.parametrize("case", range(len(list(cases()))))
def test_the_notes_of_a_split_are_translated(case: int) -> None:
    data, asked = list(cases())[case]
    notes = split(data, asked, None, None, 7).notes
    assert [note for note in notes if not said_text(PT, note)] == []
