"""Models side by side: only their differences, signed scores, and a CSV without formulas."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from operations.views.differences import as_csv, live_of_document, of_document, side_by_side
from zelador.errors import NotFound


def model(name: str, rank: int, f1: float, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "run": "r1", "rank": rank, "model_type": name.title(), "served_by": "onnx", "positive": "yes",
        "metrics": {"F1": f1, "AUC": None}, "intervals": {"F1": [f1 - 0.1, f1 + 0.1]},
        "holdout": {"F1": f1 - 0.02}, "holdout_intervals": {"F1": None},
        "from_first": {"F1": f1 - 0.9}, "from_first_intervals": {"F1": [f1 - 0.95, f1 - 0.85]},
        "parameters": {"depth": rank, "seed": 7}, "data": {"sha256": "d1", "rows": 90, "notes": ["a"]}, **more,
    }  # fmt: skip


FIRST, SECOND = model("forest", 1, 0.9), model("ridge", 2, 0.8)


def test_only_differences_are_shown() -> None:
    found = side_by_side([FIRST, SECOND])
    assert [row["field"] for row in found["differs"]] == ["model_type", "rank", "parameters.depth"]
    assert found["differs"][2]["values"] == [1, 2]
    assert (found["reference"], found["models"], found["notes"]) == ("forest", ["forest", "ridge"], [])
    other = side_by_side([FIRST, {**SECOND, "data": {"sha256": "d2"}, "positive": "no"}])
    assert len(other["notes"]) == 2


def test_differences_are_signed_and_have_the_trainers_interval() -> None:
    (by_f1,) = [row for row in side_by_side([FIRST, SECOND])["scores"] if row["part"] == "metrics"]
    assert (by_f1["metric"], by_f1["values"], by_f1["deltas"]) == ("F1", [0.9, 0.8], [0.0, -0.1])
    assert by_f1["intervals"] == [pytest.approx((0.8, 1.0)), pytest.approx((0.7, 0.9))]
    assert by_f1["delta_intervals"] == [None, pytest.approx((-0.15, -0.05))]
    turned = side_by_side([FIRST, SECOND], "ridge")["scores"]
    assert [row["deltas"] for row in turned if row["part"] == "metrics"] == [[0.1, 0.0]]
    assert [row["delta_intervals"] for row in turned if row["part"] == "metrics"] == [
        [pytest.approx((0.05, 0.15)), None]
    ]
    stranger = side_by_side([FIRST, {**SECOND, "run": "r2"}])["scores"]
    assert stranger[1]["delta_intervals"] == [None, None]  # they did not answer the same rows
    with pytest.raises(NotFound, match="'tree' is not one of the models: forest, ridge"):
        side_by_side([FIRST, SECOND], "tree")


def test_the_live_model_of_the_run_is_shown_beside() -> None:
    live = {"name": "old", "model_type": "DecisionTree", "holdout": {"F1": 0.5}, "holdout_intervals": {}, "note": None}
    first = {**FIRST, "difference": {"F1": 0.38}, "difference_intervals": {"F1": [0.2, 0.5]}}
    document = {"run": "r1", "reference": live, "models": [first, {**SECOND, "name": None}], "data": {"sha256": "d1"}}
    models = of_document(document)
    beside = live_of_document(document)
    assert beside is not None
    found = side_by_side([*models, beside], "old")
    assert found["models"] == ["forest", "r1/2", "old"]
    (by_f1,) = [row for row in found["scores"] if row["part"] == "holdout"]
    assert by_f1["deltas"] == pytest.approx([0.38, 0.28, 0.0])
    assert by_f1["delta_intervals"] == [(0.2, 0.5), None, None]
    assert live_of_document({"reference": {**live, "holdout": {}}}) is None


def test_the_csv_has_a_row_for_each_model_and_no_formula() -> None:
    text = as_csv(side_by_side([FIRST, {**SECOND, "model_type": '=HYPERLINK("http://evil")'}]))
    first, second = csv.DictReader(io.StringIO(text))
    assert second["model_type"] == '\'=HYPERLINK("http://evil")'
    assert (first["model"], first["metrics.F1"], first["metrics.F1.delta.low"]) == ("forest", "0.9", "")
    assert float(second["metrics.F1.delta"]) == pytest.approx(-0.1)
    assert float(second["metrics.F1.delta.low"]) == pytest.approx(-0.15)


def test_any_metadata_can_be_shown() -> None:
    damaged = {"name": "x", "metrics": [1], "holdout": {"F1": float("nan")}, "parameters": "none", "intervals": 7,
               "tags": [{"a": 1}], "data": None, "features": ["f" * 900]}  # fmt: skip
    found = side_by_side([damaged, FIRST])
    assert as_csv(found).count("\n") == 3
