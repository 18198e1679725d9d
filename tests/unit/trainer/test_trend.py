"""Features that rise or fall throughout the data are named: on later rows no model has learned their values."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluate.known import Known
from trainer.evaluate.split import split
from trainer.evaluate.trend import trends

DRAW = np.random.default_rng(5)
ROWS = 1_440  # ten days, one every ten minutes
DAYS = np.arange(ROWS) / 144
NOISE = DRAW.normal(size=ROWS)
WEATHER = np.repeat(DRAW.normal(0, 3, 10), 144) + 5 * np.sin(2 * np.pi * DAYS) + NOISE


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        (DAYS * 86_400, {0: "rises"}),  # a clock
        (np.floor(DAYS * 7), {0: "rises"}),  # the number of the run
        (4.2 - 0.04 * DAYS + 0.004 * NOISE, {0: "falls"}),  # a battery
        (np.where(DRAW.random(ROWS) < 0.2, np.nan, DAYS), {0: "rises"}),
        (WEATHER, {}),
        (WEATHER + 0.3 * DAYS, {}),  # it drifts by less than it varies
        (DAYS % 1.5, {}),  # the time since a restart
        (np.ones(ROWS), {}),
        (np.full(ROWS, np.nan), {}),
    ],
)
def test_only_a_trend_that_leaves_the_known_values_is_found(feature: np.ndarray, says: dict[int, str]) -> None:
    times = np.arange(ROWS, dtype=np.int64)
    mixed = DRAW.permutation(ROWS)
    assert trends(np.stack([feature, WEATHER], axis=1)[mixed], None, times[mixed]) == says


def test_a_counter_of_each_device_is_found_wherever_it_began() -> None:
    devices = np.arange(ROWS) % 4
    counter = DAYS * 100 + devices * 10_000.0
    assert trends(counter[:, None], devices, np.arange(ROWS, dtype=np.int64)) == {0: "rises"}
    assert trends(devices[:, None].astype(float), devices, np.arange(ROWS, dtype=np.int64)) == {}


@pytest.mark.parametrize("asked", ["auto", "random"])
def test_the_split_says_what_it_cannot_show(asked: str) -> None:
    """A model on the number of the run scored 0.59 (0.41 to 0.73) in its own period, and 0.05 in the next weeks."""
    labels = (np.arange(ROWS) // 24) % 2
    rows = np.stack([WEATHER, 4.2 - 0.04 * DAYS], axis=1)
    known = Known(rows, labels, ("ok", "worn"), None, (), np.arange(ROWS) * 600_000, ("temperature", "battery"))
    notes = [note for note in split(known, asked, None, None, 7).notes if "throughout the data" in note]  # type: ignore[arg-type]
    assert len(notes) == 1
    assert notes[0].startswith("the feature 'battery' falls throughout the data, so later rows have values")
    assert "cannot be told" in notes[0]
