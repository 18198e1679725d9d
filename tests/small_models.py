"""Small real models for tests: fitted in milliseconds, saved as the trainer saves them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from command.demo.scenarios.by_name import scenario
from registry.registry import Feature, Registry, Upload

FEATURES = ("lux", "temperature", "vibration")


@cache
def rows_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Read-only, as all tests of a process share them."""
    history = scenario("machines").history[:600]
    rows = np.array([[sample.values[name] for name in FEATURES] for sample in history])
    labels = np.array([sample.label for sample in history])
    rows.flags.writeable = labels.flags.writeable = False
    return rows, labels


def fitted(with_probabilities: bool = True) -> Pipeline:
    model = LogisticRegression() if with_probabilities else RidgeClassifier()
    return make_pipeline(StandardScaler(), model).fit(*rows_and_labels())


def upload(with_probabilities: bool = True, features: tuple[str, ...] = FEATURES) -> Upload:
    rows, _ = rows_and_labels()
    return Upload(
        pipeline=fitted(with_probabilities),
        features=tuple(Feature(name) for name in features),
        classes=("no", "yes"),
        metadata={"model_type": "LogisticRegression" if with_probabilities else "Ridge"},
        probe=rows[:20],
    )


def upload_compared(against: str) -> Upload:
    """A model whose run, with costs of 5 and 1, recommended none; `against` was live then, and did better."""
    more = {
        "run": "20261124_120000-aaaa", "rank": 1, "metric": "F1", "positive": "yes", "not_recommended": True,
        "holdout": {"F1": 0.43, "Recall": 0.55, "Precision": 0.423077, "Accuracy": 0.76},
        "confusion": {"labels": ["no", "yes"], "counts": [[65, 15], [9, 11]]},
        "costs": {"missed": 5.0, "false_alarm": 1.0, "recall": None}, "reference": against,
        "difference": {"F1": -0.4, "Recall": -0.2, "Precision": -0.576923, "Accuracy": -0.19},
        "difference_intervals": {"F1": [-0.5, -0.3]},
    }  # fmt: skip
    given = upload()
    given.metadata.update(more)
    return given


def select_one(folder: Path | str, name: str = "small") -> Registry:
    """A registry with one model, selected."""
    registry = Registry.open(folder)
    registry.save(name, upload(), by="test")
    registry.select(name, by="test")
    return registry
