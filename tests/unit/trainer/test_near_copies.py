"""Rows that are almost equal to rows of another time get a note: a split has them on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluate.known import Known
from trainer.evaluate.near_copies import near_copies
from trainer.evaluate.split import split

ROWS = 900


def measured(draw: np.random.Generator, features: int = 3) -> np.ndarray:
    """Slow readings with noise, as a machine gives them."""
    slow = np.cumsum(draw.normal(size=(ROWS, features)), axis=0)
    return slow / slow.std(axis=0) + 0.3 * draw.normal(size=(ROWS, features))


def times_of(rows: np.ndarray) -> np.ndarray:
    return np.arange(len(rows), dtype=np.int64)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("copies", [1, 3])
def test_rows_that_were_copied_and_changed_a_little_are_found(seed: int, copies: int) -> None:
    draw = np.random.default_rng(seed)
    rows = measured(draw)
    again = np.concatenate([rows[draw.random(ROWS) < 0.5] for _ in range(copies)])
    rows = draw.permutation(np.concatenate([rows, again + 0.0005 * draw.normal(size=again.shape)]))
    assert near_copies(rows, None, times_of(rows)) > 0.4
    assert near_copies(rows, None, None) > 0.4


@pytest.mark.parametrize("seed", range(4))
def test_measured_rows_are_not_taken_for_near_copies(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = measured(draw)
    burst = np.repeat(rows, 6, axis=0) + 0.0005 * draw.normal(size=(6 * ROWS, 3))  # six at once, together in time
    together = np.stack([rows[:, 0], 2 * rows[:, 0] + 0.001 * draw.normal(size=ROWS)], axis=1)  # one feature, twice
    missing = np.where(draw.random(rows.shape) < 0.3, np.nan, rows)
    idle = np.where((np.arange(ROWS) // 50 % 2 == 0)[:, None], 0.0, rows)
    for each in (rows, np.round(rows, 1), np.round(rows, 2), burst, together, missing, idle, measured(draw, 8)):
        assert near_copies(each, None, times_of(each)) == 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e160, 1e300, np.nan])
def test_numbers_of_any_size_are_no_error(scale: float) -> None:
    draw = np.random.default_rng(1)
    rows = measured(draw) * np.array([1.0, scale, 1.0])
    rows[5, 1] = 1e308 if scale > 1 else 0.0
    assert near_copies(rows, None, times_of(rows)) == 0.0


def test_the_split_says_that_scores_can_be_too_good() -> None:
    """A forest was clearly better at 0.89 (0.85 to 0.93), and scored 0.73 in the next days."""
    draw = np.random.default_rng(1)
    rows = measured(draw)
    rows = draw.permutation(np.concatenate([rows, rows + 0.0005 * draw.normal(size=rows.shape)]))
    labels = (np.arange(len(rows)) // 24) % 2
    known = Known(rows, labels, ("a", "b"), None, (), times_of(rows) * 60_000, ("x", "y", "z"))
    plan = split(known, "auto", None, None, 7)
    notes = [note for note in plan.notes if "almost equal" in note]
    assert len(notes) == 1
    assert "cannot be told" in notes[0]
    assert plan.unsure == "many rows are almost equal to rows of another time"  # so no model is clearly better
