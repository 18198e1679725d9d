"""Tests for something to learn: noise always counts as nothing, and data with a pattern never does."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluate import learnable as module
from trainer.evaluate.known import Known
from trainer.evaluate.learnable import Learnable, learnable
from trainer.evaluate.split import split

DRAW = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PERMUTATIONS", 40)
    monkeypatch.setattr(module, "MAX_ROWS", 800)


def asked(values: np.ndarray, labels: np.ndarray, devices: np.ndarray | None, times: np.ndarray | None) -> Learnable:
    names = () if devices is None else tuple(f"m{i}" for i in range(int(devices.max()) + 1))
    found = split(
        Known(values, labels, tuple("abcd"[: labels.max() + 1]), devices, names, times), "auto", None, None, 7
    )
    rows = found.training & found.counted
    return learnable(
        values[rows],
        labels[rows],
        None if devices is None else devices[rows],
        None if times is None else times[rows],
        found.units[rows],
        found.tested[rows],
        7,
    )


def slow(rows: int, memory: float = 0.99) -> np.ndarray:
    found = np.zeros(rows)
    for at in range(1, rows):
        found[at] = memory * found[at - 1] + DRAW.normal()
    return found


@pytest.mark.parametrize("times", [None, np.arange(1_500)])
def test_random_labels_are_nothing_to_learn(times: np.ndarray | None) -> None:
    labels = np.random.default_rng(3).integers(0, 3, 1_500)
    assert asked(np.random.default_rng(4).normal(size=(1_500, 3)), labels, None, times).is_nothing


def test_the_scores_of_moved_labels_can_be_shown() -> None:
    labels = np.random.default_rng(3).integers(0, 2, 1_500)
    found = asked(np.random.default_rng(4).normal(size=(1_500, 3)), labels, None, None)
    shown = found.shown()
    assert shown is not None and found.p is not None
    assert sum(shown["counts"]) == shown["moves"] == 40
    assert found.p == pytest.approx((1 + shown["as_good"]) / (1 + shown["moves"]), abs=1e-4)
    assert shown["low"] <= shown["high"]
    assert Learnable(None, "too few ways").shown() is None


def test_slow_readings_and_slow_labels_are_nothing_to_learn() -> None:
    """Readings and labels both drift; a test that moved single labels would find a relation between them."""
    found = [
        asked(np.stack([slow(3_000), slow(3_000)], axis=1), (slow(3_000) > 0).astype(np.int64), None, np.arange(3_000))
        for _ in range(5)
    ]
    assert sum(each.is_nothing for each in found) >= 3


@pytest.mark.parametrize("devices", [True, False])
def test_separable_recordings_can_be_learned(devices: bool) -> None:
    """The label is constant in each recording, so moving labels within one would change nothing."""
    labels = np.repeat([0, 0, 1, 1, 2, 2, 3, 3], 200)
    at = np.concatenate([np.arange(200) + 10_000 * number for number in range(8)])
    of = np.repeat(np.arange(8), 200) if devices else None
    values = np.stack([labels, labels % 2], axis=1) + 0.3 * DRAW.normal(size=(1_600, 2))
    assert not asked(values, labels, of, at).is_nothing


@pytest.mark.parametrize("times", [None, np.arange(1_500)])
def test_a_band_in_one_feature_can_be_learned(times: np.ndarray | None) -> None:
    """A linear model alone cannot find it."""
    level = np.sin(np.arange(1_500) / 30)
    labels = (np.abs(level) < 0.5).astype(np.int64)
    values = np.stack([level, DRAW.normal(size=1_500)], axis=1)
    assert not asked(values, labels, None, times).is_nothing


def test_a_slope_across_many_features_can_be_learned() -> None:
    """A shallow tree alone finds little of it."""
    values = DRAW.normal(size=(1_500, 12))
    labels = (values.sum(axis=1) > 0).astype(np.int64)
    assert not asked(values, labels, None, np.arange(1_500)).is_nothing


def test_too_few_arrangements_give_no_answer() -> None:
    labels = np.repeat([0, 0, 1, 1], 200)
    found = asked(DRAW.normal(size=(800, 2)), labels, np.repeat(np.arange(4), 200), np.arange(800))
    assert (found.p, found.is_nothing) == (None, False)
    assert "in 6 ways only" in found.why
