"""The marks `late` and `retained` of a prediction; and the model fills in missing values."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from inference.answer import answer
from registry.registry import Registry
from tests.small_models import rows_and_labels, select_one, upload
from zelador.buffer import Delivered
from zelador.messages import Arrival, Prediction, Reading, encode_json

NOW = 1_795_514_400_000
FEATURES = ("lux", "temperature", "vibration")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("registry")
    return select_one(folder / "registry").load("small")


def predicted(model, *values: float | None, age_s: float = 0.0, retained: bool = False) -> Prediction:
    at = NOW - int(age_s * 1000)
    arrival = Arrival("press", (Reading("r", values, at),), at, retained=retained)
    assert json.loads(encode_json(arrival))["readings"][0]["values"] == list(values)
    entry = Delivered("1-0", FEATURES, (arrival,), b"", 1)
    (answered,) = answer([entry], model, 7, 5, 900.0, lambda: NOW)
    assert answered.failures == []
    return answered.predictions[0]


def test_late_and_retained_are_marked_only_if_true(model) -> None:
    fresh = json.loads(encode_json(predicted(model, 400.0, 50.0, 1.0, age_s=899)))
    assert "late" not in fresh and "retained" not in fresh
    old = json.loads(encode_json(predicted(model, 400.0, 50.0, 1.0, age_s=901, retained=True)))
    assert old["late"] is True and old["retained"] is True


def test_a_missing_value_is_the_mean_that_the_model_learned(tmp_path: Path) -> None:
    rows, labels = rows_and_labels()
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(rows, labels)
    registry = Registry.open(tmp_path / "registry")
    registry.save("imputing", replace(upload(), pipeline=pipeline), by="test")
    model = registry.load("imputing")
    missing, filled = predicted(model, 400.0, None, 1.0), predicted(model, 400.0, float(rows[:, 1].mean()), 1.0)
    assert missing.label == filled.label
    assert missing.confidence == pytest.approx(filled.confidence, abs=1e-4)


def test_a_reading_with_a_missing_value_that_the_model_refuses_is_set_aside(model) -> None:
    entry = Delivered("1-0", FEATURES, (Arrival("press", (Reading("r", (None, 1.0, 1.0), NOW),), NOW),), b"", 1)
    (answered,) = answer([entry], model, 7, 5)
    assert "NaN" in answered.failures[0][1]
