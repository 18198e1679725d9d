"""A model from a stranger brings a report and metadata: odd ones must not make pages of the console fail."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from registry.registry import Registry
from tests.attacks.api import Api, api_in
from tests.small_models import upload_compared

CLASSES = ["no", "yes"]
CURVE = {"false_alarms": [0.0, 1.0], "found": [0.0, 1.0], "area": 0.5}
HUGE = 1e308
REPORTS: dict[str, Mapping[str, Any]] = {
    "more rows than classes": {"classes": ["no"], "confusion": [[1, 2], [3, 4]]},
    "a count below zero": {"classes": CLASSES, "confusion": [[1, -2], [3, 4]]},
    "a bin below zero": {"training": {"lux": {"minimum": 0.0, "maximum": 1.0, "counts": [3, -1]}}},
    "a range the wrong way": {"training": {"lux": {"minimum": 1.0, "maximum": -HUGE}}},
    "a curve beyond one": {"classes": CLASSES, "roc": {"yes": {**CURVE, "false_alarms": [0.0, HUGE]}}},
    "curves of two lengths": {"classes": CLASSES, "roc": {"yes": {**CURVE, "found": [0.0]}}},
    "a calibration without rows": {
        "classes": CLASSES, "calibration": {"yes": {"said": [0.5], "was": [0.5], "rows": [], "error": 0.1}},
    },
    "costs without a threshold": {"classes": CLASSES, "threshold": {"yes": {"threshold": [], "cost": [HUGE]}}},
}  # fmt: skip
METADATA: dict[str, Mapping[str, Any]] = {
    "an interval without a score": {"holdout": {}, "metrics": {}, "holdout_intervals": {"F1": [0.1, 0.2]}},
    "a recall that is none": {"holdout": {"F1": 0.4, "Recall": -HUGE, "Precision": 0.4, "Accuracy": 0.7}},
    "a difference beyond all": {"difference": {"F1": -0.4, "Recall": HUGE, "Precision": -0.5, "Accuracy": -0.1}},
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Api]:
    with api_in(tmp_path_factory.mktemp("api"), redis_url) as found:
        yield found


ALWAYS = ("more rows than classes", "a bin below zero", "a curve beyond one", *METADATA)
LONG = [pytest.param(each, marks=pytest.mark.attack_long) for each in REPORTS if each not in ALWAYS]


@pytest.mark.parametrize("odd", [*ALWAYS, *LONG])
def test_an_odd_model_does_not_make_a_page_fail(api: Api, odd: str) -> None:
    """One with an interval and no score made the list of all models an internal error."""
    given = upload_compared("small")
    given.metadata.update(METADATA.get(odd, {}))  # type: ignore[attr-defined]
    report = {"report.json": json.dumps(REPORTS.get(odd, {})).encode()}
    name = odd.replace(" ", "-")
    Registry.open(api.settings.registry.url).save(name, dataclasses.replace(given, report=report), by="test")
    with api.client("viewer") as client:
        for path in ("models", f"models/{name}", f"classify/by/{name}"):
            answer = client.get(f"/console/{path}")
            assert answer.status_code == 200, (path, answer.text[:300])
            assert name in answer.text
