from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.candidate.agreement import TOLERANCE, Comparison, Rows, compare, decide, document

ROWS = np.zeros((100, 2))
Answers = tuple[list[int], Rows | None]


def comparison(differ: int = 0, largest: float | None = 0.0, pipeline: float = 9.0, onnx: float = 1.0) -> Comparison:
    return Comparison(100, differ, largest, pipeline, onnx)


def test_a_faster_model_that_agrees_serves() -> None:
    assert decide(comparison(), None).serves == "onnx"


def test_a_model_without_probabilities_agrees_by_its_labels() -> None:
    assert decide(comparison(largest=None), None).serves == "onnx"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (comparison(differ=1), "1 of 100 labels differs"),
        (comparison(largest=2e-5), "differs by 2e-05"),
        (comparison(largest=math.inf), "do not match the pipeline"),
        (comparison(onnx=9.0), "not faster"),
        (None, "it does not convert"),
    ],
)
def test_any_doubt_leaves_the_pipeline_in_service(found: Comparison | None, says: str) -> None:
    verdict = decide(found, "it does not convert" if found is None else None)
    assert verdict.serves == "pipeline"
    assert says in verdict.reason


@given(
    differ=st.integers(0, 3),
    largest=st.none() | st.floats(0, allow_nan=False),
    pipeline=st.floats(0.1, 1e6),
    onnx=st.floats(0.1, 1e6),
)
def test_onnx_serves_only_if_it_is_the_same_and_faster(
    differ: int, largest: float | None, pipeline: float, onnx: float
) -> None:
    found = comparison(differ, largest, pipeline, onnx)
    may = differ == 0 and (largest is None or largest <= TOLERANCE) and onnx < pipeline
    assert (decide(found, None).serves == "onnx") is may


def answers(probabilities: Rows | None) -> Answers:
    return [0] * len(ROWS), probabilities


@pytest.mark.parametrize(
    "other",
    [None, np.full((100, 1), 0.5), np.full((100, 2), np.nan)],
    ids=["none at all", "raw scores in one column", "no numbers"],
)
def test_probabilities_of_another_kind_never_agree(other: Rows | None) -> None:
    found = compare(lambda _: answers(np.full((100, 2), 0.5)), lambda _: answers(other), ROWS)
    assert decide(found, None).serves == "pipeline"


def test_raw_scores_are_not_probabilities() -> None:
    """skl2onnx gives ridge an output named probabilities; its pipeline has none."""
    found = compare(lambda _: answers(None), lambda _: answers(np.full((100, 1), 0.5)), ROWS)
    assert decide(found, None).serves == "pipeline"


def test_the_document_is_strict_json() -> None:
    found = comparison(largest=math.inf)
    text = json.dumps(document(found, decide(found, None)), allow_nan=False)
    assert json.loads(text)["rows"] == 100
