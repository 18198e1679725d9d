"""A feature that identifies its stretch of time (a batch number, a hash of device and block) must not help elsewhere.

With blocks cut at equal distances a tree scored a Matthews correlation of 0.99 by such a feature alone: both halves of
a stretch that was cut have the same value, one was learned and the other tested.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from registry.evaluation.blocks import blocks, nearest
from registry.evaluation.scores import confusion_of, from_counts
from trainer.evaluate.known import Known
from trainer.evaluate.split import split
from trainer.evaluate.stretches import named

Codes = np.ndarray
Make = Callable[[np.random.Generator, Codes], np.ndarray]


def hash_of(draw: np.random.Generator, stretch: Codes) -> np.ndarray:
    return draw.random(int(stretch.max()) + 1)[stretch][:, None]


def with_jitter(draw: np.random.Generator, stretch: Codes) -> np.ndarray:
    return hash_of(draw, stretch) + draw.normal(0, 1e-4, (len(stretch), 1))


def with_gaps(draw: np.random.Generator, stretch: Codes) -> np.ndarray:
    found = hash_of(draw, stretch)
    found[draw.random(len(found)) < 0.2] = np.nan
    return np.where(np.isnan(found), np.nan, found * 1e9 // 1)


def in_two_parts(draw: np.random.Generator, stretch: Codes) -> np.ndarray:
    """Neither part identifies a stretch, but both together do."""
    number = draw.permutation(int(stretch.max()) + 1)[stretch]
    return np.stack([number % 11, number // 11], axis=1).astype(float)


def known(make: Make, devices: int, lengths: Codes, seed: int) -> tuple[Known, Codes]:
    """Each device has stretches of these lengths; each stretch has a label at random."""
    draw = np.random.default_rng(seed)
    of_device = np.repeat(np.arange(len(lengths)), lengths)
    stretch = np.concatenate([of_device + number * len(lengths) for number in range(devices)])
    labels = draw.permutation(np.arange(devices * len(lengths)) % 2)[stretch].astype(np.int64)
    values = np.hstack([make(draw, stretch), draw.normal(size=(len(stretch), 1))])
    of = np.repeat(np.arange(devices), len(of_device))
    times = np.tile(np.arange(len(of_device)), devices) * 1_000
    names = tuple(f"d{number}" for number in range(devices))
    features = tuple(f"f{number}" for number in range(values.shape[1]))
    return Known(values, labels, ("a", "b"), of if devices > 1 else None, names, times, features), stretch


@pytest.mark.parametrize("make", [hash_of, with_jitter, with_gaps, in_two_parts])
@pytest.mark.parametrize(("devices", "rows", "count"), [(1, 20, 100), (1, 150, 16), (5, 37, 20), (12, 20, 10)])
def test_no_stretch_is_on_two_sides(make: Make, devices: int, rows: int, count: int) -> None:
    data, stretch = known(make, devices, np.full(count, rows), seed=3)
    plan = split(data, "auto", None, None, 7)
    seen = ~np.isnan(data.values).any(axis=1)  # a row without the value gives nothing away
    for number in np.unique(stretch):
        assert len(np.unique(plan.tested[seen & (stretch == number)])) == 1, f"stretch {number} is cut"
    assert any("own in each stretch" in note for note in plan.notes)


def test_it_scores_at_chance() -> None:
    """Uses several seeds and shapes of data, because a single set of twenty stretches scores ±0.2 by luck."""
    found = []
    for seed in range(8):
        lengths = np.random.default_rng(seed).integers(15, 60, 60)  # shorter than the blocks, and none like another
        data, _ = known((hash_of, with_jitter)[seed % 2], (1, 6)[seed % 2], lengths, seed)
        plan = split(data, "auto", None, None, seed)
        rows, folds = plan.training, plan.tested[plan.training]
        values, labels = data.values[rows], data.labels[rows]
        said = np.empty(len(labels), np.int64)
        for number in np.unique(folds):
            here = folds == number
            model = DecisionTreeClassifier(random_state=0).fit(values[~here], labels[~here])
            said[here] = model.predict(values[here])
        found.append(float(from_counts(confusion_of(labels, said, 2)[None], 1)["MCC"][0]))
    assert np.mean(found) <= 0.05, found


@pytest.mark.parametrize("seed", range(3))
def test_features_that_identify_no_stretch_are_left_alone(seed: int) -> None:
    """Tests noise, slow drift, a counter, a set point that returns, and a level of the whole device."""
    draw, rows = np.random.default_rng(seed), 2_400
    walk = np.cumsum(draw.normal(size=rows))
    returns = np.array([50.0, 60.0, 70.0])[np.arange(rows) // 40 % 3]
    values = np.stack([draw.normal(size=rows), walk, np.arange(rows), returns, np.repeat([1.0, 2.0], 1_200)], axis=1)
    labels, of = (np.arange(rows) // 90 % 2).astype(np.int64), np.repeat([0, 1], 1_200)
    found = named(values, labels, of, np.arange(rows))
    assert (found.features, found.begins) == ((), None)


def test_one_long_fault_is_not_refused() -> None:
    """The level begins only once, with the fault. Nothing could be tested otherwise, so blocks are cut as usual."""
    labels = np.repeat([0, 1], [1_500, 500]).astype(np.int64)
    values = np.stack([labels * 5.0, np.random.default_rng(1).normal(size=2_000)], axis=1)
    plan = split(Known(values, labels, ("a", "b"), None, (), np.arange(2_000)), "auto", None, None, 7)
    assert any("some optimism is left in all scores" in note for note in plan.notes)


def test_a_note_says_that_drawn_rows_leak_such_a_feature() -> None:
    data, _ = known(hash_of, 4, np.full(10, 40), seed=1)
    plan = split(Known(data.values, data.labels, data.classes, None, (), None, data.features), "auto", None, None, 7)
    assert plan.kind == "random"
    assert any("'f0' has a value of its own in each stretch" in note for note in plan.notes)


def test_blocks_begin_only_at_allowed_rows() -> None:
    begins = np.zeros(2_400, bool)
    begins[[0, 130, 900, 1_000]] = True
    found = blocks(None, np.arange(2_400), 2_400, begins)
    assert np.flatnonzero(np.diff(found)).tolist() == [129, 899, 999]
    assert nearest(np.array([10, 20]), np.array([0, 14, 15, 16, 99])).tolist() == [10, 10, 10, 20, 20]
    assert nearest(np.array([], np.int64), np.array([3])).tolist() == []
