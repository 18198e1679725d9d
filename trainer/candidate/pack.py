"""A rebuilt pipeline as an upload for the registry: compiled, compared with its compiled form, and evaluated."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from registry.model.artefact import Upload
from registry.model.classifier import OnnxEngine, PipelineEngine
from registry.model.manifest import Feature
from trainer.candidate.agreement import compare, decide, document, probe_rows
from trainer.candidate.compile import compile_pipeline
from trainer.evaluate import report
from trainer.evaluate.parts import Parts
from trainer.evaluate.score import confusion, scores

Rows = NDArray[np.float64]


def upload(
    pipeline: Pipeline, split: Parts, features: Sequence[Feature], facts: Mapping[str, object], seed: int
) -> Upload:
    """The pipeline, its compiled form if that may serve, its evaluation, and `facts` as metadata."""
    width = split.holdout.shape[1]
    plain = PipelineEngine(pipeline, split.classes)
    probes = probe_rows(pipeline.steps[-1][1], split.holdout, seed, np.vstack([split.train, split.holdout]))
    compiled, trouble = compile_pipeline(pipeline, width)
    comparison = None
    if compiled is not None:
        try:
            engine = OnnxEngine("candidate", compiled, split.classes, hasattr(pipeline, "predict_proba"))
            comparison = compare(plain.run, engine.run, np.vstack([split.holdout, probes]))
        except Exception as error:  # noqa: BLE001 - a compiled model that fails does not serve; its pipeline does
            trouble = f"the compiled model fails: {str(error)[:200]}"
    verdict = decide(comparison, trouble)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = pipeline.predict(split.holdout).tolist()
    metadata = {
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
        metadata=metadata,
        onnx=compiled if verdict.serves == "onnx" else None,
        probe=split.holdout,
        agreement=document(comparison, verdict),
        report=_report(pipeline, split, features, seed),
    )


def _report(pipeline: Pipeline, split: Parts, features: Sequence[Feature], seed: int) -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = report.report(pipeline, split, [feature.name for feature in features], seed)
    return {report.FILE: json.dumps(found).encode()}


def _probabilities(pipeline: Pipeline, rows: Rows) -> Rows | None:
    """None for a model without probabilities (ridge, linear SVM), which has no AUC either."""
    if not hasattr(pipeline, "predict_proba"):
        return None
    return np.asarray(pipeline.predict_proba(rows), dtype=np.float64)
