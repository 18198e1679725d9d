"""What the child does with a request: compare, choose, rebuild, pack. Files in, files out."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from registry import manifest
from registry.artefact import manifest_of, pack
from registry.manifest import Feature
from trainer.candidate.rebuild import check_rebuilt, rebuild, upload
from trainer.compare.leaderboard import METRICS, MODEL_TYPES, Scored, ranked
from trainer.compare.pycaret_compare import Compared, compare
from trainer.evaluate.split import Split

PACKAGES = ("pycaret", "scikit-learn", "numpy", "pandas", "lightgbm", "skl2onnx", "onnxmltools", "onnxruntime", "skops")


def run(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The run's result: leaderboard, the candidates chosen (their files below `folder`), seconds by step."""
    warnings.simplefilter("ignore")
    request: dict[str, Any] = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    rows = np.load(folder / "rows.npy", allow_pickle=False)
    labels: list[str] = request["labels"]
    classes = tuple(sorted(set(labels)))
    codes = np.array([classes.index(label) for label in labels])
    started = time.perf_counter()
    compared = compare(
        rows,
        codes,
        request["features"],
        metric=request["metric"],
        folds=request["folds"],
        keep=request["keep"],
        holdout=request["holdout"],
        seed=request["seed"],
        candidates=request["candidates"],
        progress=lambda done, total: say(f"compared {done} of {total} classifiers"),
    )
    compared_at = time.perf_counter()
    split = Split(
        rows[compared.train].astype(compared.precision),
        tuple(labels[i] for i in compared.train),
        rows[compared.holdout],
        tuple(labels[i] for i in compared.holdout),
        classes,
    )
    order = ranked(compared.scored, request["metric"])
    chosen, refused = _choose(folder, request, compared, order, split, say)
    return {
        "leaderboard": _leaderboard(order, compared, refused),
        "candidates": chosen,
        "classes": list(classes),
        "train_rows": len(split.train_labels),
        "holdout_rows": len(split.holdout_labels),
        "seconds": {
            "compare": round(compared_at - started, 1),
            "rebuild": round(time.perf_counter() - compared_at, 1),
        },
    }


def _choose(
    folder: Path,
    request: dict[str, Any],
    compared: Compared,
    order: list[Scored],
    split: Split,
    say: Callable[[str], None],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Down the ranking until `keep` candidates are packed; why the others were passed over."""
    chosen: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    features = [
        Feature(name, request["units"].get(name, ""), _number(np.nanmin(column)), _number(np.nanmax(column)))
        for name, column in zip(request["features"], split.train.T, strict=True)
    ]
    for candidate in order:
        if len(chosen) == request["keep"]:
            break
        if (trouble := candidate.trouble()) is not None:
            refused[candidate.id] = trouble
            continue
        rank = len(chosen) + 1
        say(f"rebuilding {candidate.model_type} ({rank} of {request['keep']})")
        try:
            pipeline = rebuild(compared.models[candidate.id], split)
            check_rebuilt(pipeline, compared.fitted(candidate.id), compared.holdout_transformed, split)
            facts = {
                "model_type": candidate.model_type,
                "metrics": {metric: _rounded(candidate.mean(metric)) for metric in METRICS},
                "folds": {metric: _folds(candidate, metric) for metric in METRICS},
                "rank": rank,
                "seconds": candidate.seconds,
                "positive": split.classes[-1] if len(split.classes) == 2 else None,  # of Recall, Precision and F1
                "parameters": _plain(compared.models[candidate.id].get_params()),
                "versions": _versions(),
                **request["metadata"],
            }
            packed = upload(pipeline, split, features, facts, request["seed"])
            files = pack(packed, candidate.model_type)
        except Exception as error:  # noqa: BLE001 - one candidate's trouble must not cost the run; it is said
            refused[candidate.id] = str(error)[:300]
            say(f"{candidate.model_type} is passed over: {refused[candidate.id]}")
            continue
        saved_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        described = manifest_of(packed, candidate.model_type, files, saved_at)
        _write(folder / str(rank), {**files, manifest.FILE: manifest.encode(described)})
        found = described.metadata
        chosen.append(
            {
                "id": candidate.id,
                "rank": rank,
                "model_type": candidate.model_type,
                "metrics": found["metrics"],
                "holdout": found["holdout"],
                "served_by": described.served_by,
                "agreement": found["agreement"],
                "confusion": found["confusion"],
            }
        )
    return chosen, refused


def _leaderboard(order: list[Scored], compared: Compared, refused: dict[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "place": place,
            "id": candidate.id,
            "model_type": candidate.model_type,
            "metrics": {metric: _rounded(candidate.mean(metric)) for metric in METRICS},
            "seconds": candidate.seconds,
            "trouble": refused.get(candidate.id) or candidate.trouble(),
        }
        for place, candidate in enumerate(order, start=1)
    ]
    rows += [
        {
            "place": None,
            "id": name,
            "model_type": MODEL_TYPES.get(name, name),
            "metrics": {},
            "seconds": None,
            "trouble": "it failed",
        }
        for name in compared.failed
    ]
    return rows


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as JSON has them; what JSON does not have, as text."""
    return {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in parameters.items()
    }


def _folds(candidate: Scored, metric: str) -> list[float] | None:
    """None where the metric is not defined for this model."""
    if candidate.mean(metric) is None:
        return None
    return [round(score, 6) for score in candidate.folds[metric]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
