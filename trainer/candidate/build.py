"""Builds a candidate as it would be served: calibrated, and compiled if the compiled form agrees and is faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from registry.evaluation.scores import Answers
from registry.model.artifact import applied
from registry.model.classifier import OnnxEngine, PipelineEngine
from registry.model.manifest import Threshold
from registry.run_document import Agreement
from trainer.candidate.agreement import BATCH, compare, decide, document, in_parts, probe_rows, time_of
from trainer.candidate.boosters import LIBRARIES, library_of
from trainer.candidate.compile import compile_pipeline
from trainer.evaluate.calibrate import Calibration
from trainer.evaluate.split_rows import Parts
from zelador.errors import ZeladorError

Rows = NDArray[np.float64]


class NotServable(ZeladorError):
    """The model has no form that the registry loads."""


@dataclass(frozen=True, slots=True)
class Built:
    """A candidate that is ready to be saved.

    `pipeline` is calibrated if `calibrated` is set. `onnx` is its compiled form; None if the pipeline serves itself.
    With `compiled_only`, the pipeline cannot be saved.
    `indices` (predicted classes) and `shares` (probabilities) are its answers on the hold-out, by the form that serves:
    the other one rounds probabilities differently, which changes AUC and PR-AUC.
    """

    pipeline: Pipeline
    onnx: bytes | None
    agreement: Agreement
    threshold: Threshold | None
    calibrated: bool
    us_per_row: float
    compiled_only: bool
    indices: NDArray[np.int64]
    shares: Rows | None

    def answers(self, expected: NDArray[np.int64], classes: tuple[str, ...], positive: str | None) -> Answers:
        return Answers(expected, self.indices, self.shares, classes, positive)


def build(
    pipeline: Pipeline, calibration: Calibration | None, threshold: Threshold | None, parts: Parts, seed: int
) -> Built:
    """Builds a candidate from `pipeline`, which is fitted on the training rows.

    Without `calibration` the pipeline stays as it is. A threshold needs probabilities; without them it is dropped.

    Raises NotServable.
    """
    estimator: Any = pipeline.steps[-1][1]
    served = pipeline if calibration is None else calibration.wrap(pipeline)
    has_probabilities = hasattr(served, "predict_proba")
    given = threshold if has_probabilities else None
    rule = applied("candidate", given, parts.classes, has_probabilities)
    plain = PipelineEngine(served, parts.classes, rule)
    probes = probe_rows(estimator, parts.holdout, seed, np.vstack([parts.train, parts.holdout]))
    compiled, trouble = compile_pipeline(served, parts.holdout.shape[1])
    comparison, run = None, plain.run
    if compiled is not None:
        try:
            engine = OnnxEngine("candidate", compiled, parts.classes, has_probabilities, rule)
            comparison = compare(plain.run, engine.run, np.vstack([parts.holdout, probes]))
        except Exception as error:  # noqa: BLE001 - a compiled model that fails does not serve; its pipeline does
            trouble = f"the compiled model fails: {str(error)[:200]}"
    library = library_of(estimator)
    decision = decide(comparison, trouble, only_compiled=library is not None)
    if library is not None and decision.serves != "onnx":
        raise NotServable(
            f"it cannot be served: a model of {LIBRARIES[library]} is served by its compiled form only, and "
            f"{decision.reason}"
        )
    if comparison is None:
        batch_us = time_of(plain.run, parts.holdout)
    else:
        batch_us = comparison.onnx_us if decision.serves == "onnx" else comparison.pipeline_us
        run = engine.run if decision.serves == "onnx" else plain.run
    indices, shares = in_parts(run, parts.holdout)
    return Built(
        served,
        compiled if decision.serves == "onnx" else None,
        document(comparison, decision),
        given,
        calibration is not None,
        round(batch_us / (1 + min(BATCH, len(parts.holdout))), 2),
        library is not None,
        np.asarray(indices, dtype=np.int64),
        shares,
    )
