"""Saves a fitted model as files, and loads it from files."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from registry.errors import ModelRefused, TypeRefused
from registry.model import golden
from registry.model.allowed_types import dump_pipeline, load_pipeline
from registry.model.classifier import Applied, Classifier, Engine, OnnxEngine, PipelineEngine, Rows
from registry.model.manifest import FORMAT, Feature, Manifest, ServedBy, Threshold, describe, fits_classes, plain

PACKAGES = ("scikit-learn", "numpy", "lightgbm", "onnxruntime", "skops")
PIPELINE, ONNX, AGREEMENT, REPORT = "model.skops", "model.onnx", "agreement.json", "report"


@dataclass(frozen=True, slots=True)
class Upload:
    """A model to be saved. `pipeline` is a fitted scikit-learn estimator; live inference uses `onnx` if given.

    The first of the rows in `probe` (n, features) become golden rows; without rows, random ones are used.
    """

    pipeline: Any
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    onnx: bytes | None = None
    probe: Rows | None = None
    agreement: Mapping[str, Any] | None = None
    threshold: Threshold | None = None
    report: Mapping[str, bytes] = field(default_factory=dict)
    compiled_only: bool = False  # save `onnx` without `pipeline`, whose library's files are not loaded

    @property
    def served_by(self) -> ServedBy:
        return "onnx" if self.onnx is not None else "pipeline"


def pack(upload: Upload, name: str = "model") -> dict[str, bytes]:
    """The payload's files by path.

    Raises TypeRefused for a type that could not be loaded again and for a model that does not answer, ModelRefused for
    an ONNX file that would be refused at load.
    """
    if not upload.classes:
        raise TypeRefused(f"{name}: it has no classes, so it cannot classify readings")
    files = {} if upload.compiled_only else {PIPELINE: dump_pipeline(upload.pipeline)}
    if upload.onnx is not None:
        files[ONNX] = upload.onnx
    if upload.agreement is not None:
        files[AGREEMENT] = json.dumps(upload.agreement, indent=2).encode()
    files.update({f"{REPORT}/{path}": data for path, data in upload.report.items()})
    engine: Engine
    has_probabilities = hasattr(upload.pipeline, "predict_proba")
    threshold = applied(name, upload.threshold, upload.classes, has_probabilities)
    if upload.onnx is not None:
        engine = OnnxEngine(name, upload.onnx, upload.classes, has_probabilities, threshold)
    else:
        engine = PipelineEngine(upload.pipeline, upload.classes, threshold)
    names = tuple(feature.name for feature in upload.features)
    classifier = Classifier(name, "", names, upload.classes, upload.served_by, engine)
    probe = upload.probe if upload.probe is not None and len(upload.probe) else golden.drawn(len(names))
    try:
        files[golden.FILE] = golden.make(classifier, probe)
    except ModelRefused as error:
        raise TypeRefused(str(error)) from None
    return files


def manifest_of(upload: Upload, name: str, files: Mapping[str, bytes], saved_at: str) -> Manifest:
    metadata = {
        "versions": versions(),
        **plain(upload.metadata),
        "has_probabilities": hasattr(upload.pipeline, "predict_proba"),
        **({"compiled_only": True} if upload.compiled_only else {}),
    }
    return Manifest(
        FORMAT,
        name,
        upload.features,
        upload.classes,
        upload.served_by,
        saved_at,
        metadata,
        {path: describe(data) for path, data in sorted(files.items())},
        upload.threshold,
    )


def open_classifier(manifest: Manifest, digest: str, files: Mapping[str, bytes]) -> Classifier:
    """A classifier from files whose digests were checked, which reproduced its golden rows. Raises ModelRefused."""
    engine: Engine
    if not manifest.classes:
        raise ModelRefused(f"{manifest.name}: it has no classes, so it cannot classify readings")
    if golden.FILE not in files:
        raise ModelRefused(f"{manifest.name}: it has no {golden.FILE}, so it is unknown whether it answers")
    has_probabilities = bool(manifest.metadata.get("has_probabilities", True))
    threshold = applied(manifest.name, manifest.threshold, manifest.classes, has_probabilities)
    if manifest.served_by == "onnx":
        engine = OnnxEngine(manifest.name, files[ONNX], manifest.classes, has_probabilities, threshold)
    else:
        engine = PipelineEngine(load_pipeline(manifest.name, files[PIPELINE]), manifest.classes, threshold)
    names = tuple(feature.name for feature in manifest.features)
    classifier = Classifier(manifest.name, digest, names, manifest.classes, manifest.served_by, engine)
    golden.check(classifier, files[golden.FILE])
    return classifier


def applied(name: str, threshold: Threshold | None, classes: Sequence[str], has_probabilities: bool) -> Applied | None:
    """The threshold as an engine applies it. Raises ModelRefused if it does not fit the model."""
    if threshold is None:
        return None
    if not has_probabilities or not fits_classes(threshold, classes):
        raise ModelRefused(f"{name}: its threshold needs probabilities, and one of two classes")
    return Applied(classes.index(threshold.positive), threshold.value)


def serving_file(manifest: Manifest) -> str:
    return ONNX if manifest.served_by == "onnx" else PIPELINE


def versions() -> dict[str, str]:
    """The library versions at save time: the first thing to check when a model is refused at load."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
