"""A candidate on its way to the registry: rebuilt without PyCaret, compiled, compared, scored, packed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from registry.artefact import Upload
from registry.classifier import OnnxEngine, PipelineEngine
from registry.manifest import Feature
from trainer.candidate.agreement import compare, decide, document, probe_rows
from trainer.candidate.compile import compile_pipeline
from trainer.evaluate import report
from trainer.evaluate.score import confusion, scores
from trainer.evaluate.split import Split
from zelador.errors import ZeladorError

Rows = NDArray[np.float64]


class NotRebuilt(ZeladorError):
    """The plain pipeline does not answer as PyCaret's own model does."""


def rebuild(model: Any, split: Split) -> Pipeline:
    """An imputer and a fresh copy of the estimator, fitted on the same rows with text labels.

    It needs no PyCaret to be loaded, and its classes are the labels themselves.
    """
    estimator = clone(model)
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)
    pipeline = Pipeline([("imputer", SimpleImputer(strategy="mean")), ("model", estimator)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence: PyCaret compared it with the same parameters
        return pipeline.fit(split.train, np.array(split.train_labels))


def check_rebuilt(pipeline: Pipeline, fitted: Any, transformed: Any, split: Split) -> None:
    """Raises NotRebuilt unless both give the same label on every hold-out row."""
    theirs = [split.classes[int(code)] for code in fitted.predict(transformed)]
    ours = pipeline.predict(split.holdout).tolist()
    differ = sum(a != b for a, b in zip(theirs, ours, strict=True))
    if differ:
        raise NotRebuilt(f"rebuilt without PyCaret it gives {differ} of {len(ours)} hold-out labels otherwise")


def upload(
    pipeline: Pipeline, split: Split, features: Sequence[Feature], facts: Mapping[str, object], seed: int
) -> Upload:
    """What is registered: the pipeline, its compiled form if that may serve, and what is known of it."""
    width = split.holdout.shape[1]
    plain = PipelineEngine(pipeline, split.classes)
    probes = probe_rows(pipeline.steps[-1][1], split.holdout, seed, np.vstack([split.train, split.holdout]))
    compiled, trouble = compile_pipeline(pipeline, width)
    comparison = None
    if compiled is not None:
        try:
            engine = OnnxEngine("candidate", compiled, split.classes, hasattr(pipeline, "predict_proba"))
            comparison = compare(plain.run, engine.run, np.vstack([split.holdout, probes]))
        except Exception as error:  # noqa: BLE001 - a compiled model that fails is one that does not serve
            trouble = f"the compiled model fails: {str(error)[:200]}"
    verdict = decide(comparison, trouble)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = pipeline.predict(split.holdout).tolist()
    found = {
        **facts,
        "holdout": scores(split.holdout_labels, labels, split.classes, _probabilities(pipeline, split.holdout)),
        "holdout_rows": len(split.holdout_labels),
        "confusion": {"labels": list(split.classes), "counts": confusion(split.holdout_labels, labels, split.classes)},
        "agreement": document(comparison, verdict),
    }
    return Upload(
        pipeline=pipeline,
        features=tuple(features),
        classes=split.classes,
        metadata=found,
        onnx=compiled if verdict.serves == "onnx" else None,
        probe=split.holdout,
        agreement=document(comparison, verdict),
        report=_report(pipeline, split, features, seed),
    )


def _report(pipeline: Pipeline, split: Split, features: Sequence[Feature], seed: int) -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = report.report(pipeline, split, [feature.name for feature in features], seed)
    return {report.FILE: json.dumps(told).encode()}


def _probabilities(pipeline: Pipeline, rows: Rows) -> Rows | None:
    if not hasattr(pipeline, "predict_proba"):
        return None  # ridge and linear SVM: no AUC, as no confidence
    return np.asarray(pipeline.predict_proba(rows), dtype=np.float64)
