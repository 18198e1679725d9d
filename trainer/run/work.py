"""What the child does with a request: compare the classifiers, then rebuild and pack the best of them."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from registry.model import manifest
from registry.model.artefact import manifest_of, pack
from registry.model.manifest import Feature
from registry.run_document import Candidate, LeaderboardRow, Scores, Seconds
from trainer.candidate.pack import upload
from trainer.candidate.rebuild import check_rebuilt, rebuild
from trainer.compare.leaderboard import METRICS, MODEL_TYPES, Scored, ranked
from trainer.compare.pycaret_compare import Compared, compare
from trainer.evaluate.parts import Parts
from trainer.run import request as requests
from trainer.run.events import Result
from trainer.run.request import Request
from zelador.clock import now_iso

PACKAGES = ("pycaret", "scikit-learn", "numpy", "pandas", "lightgbm", "skl2onnx", "onnxmltools", "onnxruntime", "skops")


def run(folder: Path, say: Callable[[str], None]) -> Result:
    """Does the request in `folder`, and writes the files of each candidate to a folder named by its rank below it."""
    warnings.simplefilter("ignore")
    request, rows = requests.read(folder)
    labels = request.labels
    classes = tuple(sorted(set(labels)))
    codes = np.array([classes.index(label) for label in labels])
    started = time.perf_counter()
    compared = compare(
        rows,
        codes,
        request.features,
        metric=request.metric,
        folds=request.folds,
        keep=request.keep,
        holdout=request.holdout,
        seed=request.seed,
        candidates=request.candidates,
        progress=lambda done, total: say(f"compared {done} of {total} classifiers"),
    )
    compared_at = time.perf_counter()
    split = Parts(
        rows[compared.train].astype(compared.precision),
        tuple(labels[i] for i in compared.train),
        rows[compared.holdout],
        tuple(labels[i] for i in compared.holdout),
        classes,
    )
    order = ranked(compared.scored, request.metric)
    chosen, refused = _choose(folder, request, compared, order, split, say)
    return Result(
        leaderboard=_leaderboard(order, compared, refused),
        candidates=chosen,
        classes=list(classes),
        train_rows=len(split.train_labels),
        holdout_rows=len(split.holdout_labels),
        seconds=Seconds(compare=round(compared_at - started, 1), rebuild=round(time.perf_counter() - compared_at, 1)),
    )


def _choose(
    folder: Path,
    request: Request,
    compared: Compared,
    order: list[Scored],
    split: Parts,
    say: Callable[[str], None],
) -> tuple[list[Candidate], dict[str, str]]:
    """Goes down the ranking until `keep` candidates are packed. Also returns why others were not chosen, by id."""
    chosen: list[Candidate] = []
    refused: dict[str, str] = {}
    features = [
        Feature(name, request.units.get(name, ""), _known(np.nanmin(column)), _known(np.nanmax(column)))
        for name, column in zip(request.features, split.train.T, strict=True)
    ]
    for scored in order:
        if len(chosen) == request.keep:
            break
        if (trouble := scored.trouble()) is not None:
            refused[scored.id] = trouble
            continue
        rank = len(chosen) + 1
        say(f"rebuilding {scored.model_type} ({rank} of {request.keep})")
        try:
            candidate = _pack(folder / str(rank), rank, scored, request, compared, features, split)
        except Exception as error:  # noqa: BLE001 - a candidate that fails must not cost the run; it is reported
            refused[scored.id] = str(error)[:300]
            say(f"{scored.model_type} is passed over: {refused[scored.id]}")
            continue
        chosen.append(candidate)
    return chosen, refused


def _pack(
    folder: Path, rank: int, scored: Scored, request: Request, compared: Compared, features: list[Feature], split: Parts
) -> Candidate:
    """Rebuilds a candidate and writes its files to `folder`, the manifest last."""
    pipeline = rebuild(compared.models[scored.id], split)
    check_rebuilt(pipeline, compared.fitted(scored.id), compared.holdout_transformed, split)
    facts = {
        "model_type": scored.model_type,
        "metrics": _means(scored),
        "folds": {metric: _folds(scored, metric) for metric in METRICS},
        "rank": rank,
        "seconds": scored.seconds,
        "positive": split.classes[-1] if len(split.classes) == 2 else None,  # of Recall, Precision and F1
        "parameters": _as_json(compared.models[scored.id].get_params()),
        "versions": _versions(),
        **request.metadata,
    }
    packed = upload(pipeline, split, features, facts, request.seed)
    files = pack(packed, scored.model_type)
    described = manifest_of(packed, scored.model_type, files, now_iso())
    _write(folder, {**files, manifest.FILE: manifest.encode(described)})
    found = described.metadata
    return Candidate(
        rank=rank,
        model_type=scored.model_type,
        metrics=found["metrics"],
        holdout=found["holdout"],
        served_by=described.served_by,
        agreement=found["agreement"],
        confusion=found["confusion"],
    )


def _leaderboard(order: list[Scored], compared: Compared, refused: dict[str, str]) -> list[LeaderboardRow]:
    rows = [
        LeaderboardRow(
            place=place,
            id=scored.id,
            model_type=scored.model_type,
            metrics=_means(scored),
            seconds=scored.seconds,
            trouble=refused.get(scored.id) or scored.trouble(),
        )
        for place, scored in enumerate(order, start=1)
    ]
    rows += [
        LeaderboardRow(
            place=None,
            id=name,
            model_type=MODEL_TYPES.get(name, name),
            metrics={},
            seconds=None,
            trouble="it failed",
        )
        for name in compared.failed
    ]
    return rows


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _versions() -> dict[str, str]:
    """Versions of the packages that made a model."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _as_json(parameters: dict[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Parameters of an estimator; values that JSON does not have become text."""
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in parameters.items()
    }


def _means(scored: Scored) -> Scores:
    """Means over the folds, by metric."""
    return {metric: None if (mean := scored.mean(metric)) is None else round(mean, 6) for metric in METRICS}


def _folds(scored: Scored, metric: str) -> list[float] | None:
    """None where the metric is not defined for this model."""
    if scored.mean(metric) is None:
        return None
    return [round(score, 6) for score in scored.folds[metric]]


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
