"""Turns a built candidate into an upload for the registry, with its evaluation."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence

from registry.evaluation.scores import Answers, confusion, scores
from registry.model.artifact import Upload
from registry.model.manifest import Feature
from trainer.candidate.build import Built
from trainer.evaluate import report
from trainer.evaluate.report import Beside
from trainer.evaluate.split_rows import Parts


def upload(
    built: Built,
    parts: Parts,
    answers: Answers,
    features: Sequence[Feature],
    facts: Mapping[str, object],
    seed: int,
    beside: Beside | None = None,
) -> Upload:
    """Returns the upload: the model's files, its report, and its metadata (`facts`).

    `answers` are what the candidate is judged by: its answers on the hold-out, or on all folds.
    """
    metadata = {
        "holdout": scores(answers),
        "confusion": {"labels": list(parts.classes), "counts": confusion(answers)},
        "agreement": built.agreement,
        **facts,
    }
    return Upload(
        pipeline=built.pipeline,
        features=tuple(features),
        classes=parts.classes,
        metadata=metadata,
        onnx=built.onnx,
        probe=parts.holdout,
        agreement=built.agreement,
        threshold=built.threshold,
        compiled_only=built.compiled_only,
        report=_report(built, parts, answers, features, seed, beside),
    )


def _report(
    built: Built, parts: Parts, answers: Answers, features: Sequence[Feature], seed: int, beside: Beside | None
) -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = report.report(built.pipeline, parts, answers, [feature.name for feature in features], seed, beside)
    return {report.FILE: json.dumps(found).encode()}
