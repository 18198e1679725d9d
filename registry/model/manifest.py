"""A model's manifest: what the model is made of, and the digest and size of each of its files. Written last."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import PurePath
from typing import Any, Literal

import msgspec

from registry.errors import ModelRefused
from zelador.errors import InvalidInput
from zelador.undecodable import UNDECODABLE

FILE = "manifest.json"
FORMAT = 1
MAX_DEPTH = 32  # of metadata
ServedBy = Literal["onnx", "pipeline"]


class Feature(msgspec.Struct, frozen=True):
    """An input, with its unit and its range in the training data (None: not known)."""

    name: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None


class File(msgspec.Struct, frozen=True):
    """A file of the payload. Its size is in bytes."""

    sha256: str
    size: int


class Threshold(msgspec.Struct, frozen=True):
    """A row whose probability of `positive`, one of two classes, is at least `value` is classified as positive."""

    positive: str
    value: float


class Manifest(msgspec.Struct, frozen=True):
    format: int
    name: str
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    served_by: ServedBy
    saved_at: str  # ISO 8601, UTC
    metadata: dict[str, Any]
    files: dict[str, File]
    threshold: Threshold | None = None  # None: the most probable class
    signature: str = ""  # signing.py adds and checks it on the encoded bytes


def plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """`value` as JSON: NumPy numbers and arrays become Python's, non-finite numbers null, times text.

    Raises InvalidInput for other types, naming the type, and for more than MAX_DEPTH nested levels.
    """
    if depth < 0:
        raise InvalidInput(f"metadata is nested more than {MAX_DEPTH} deep, or contains itself")
    if isinstance(value, Mapping):
        return {str(key): plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner, depth - 1) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if callable(getattr(value, "tolist", None)):
        return plain(value.tolist(), depth - 1)
    raise InvalidInput(
        f"metadata contains a {type(value).__module__}.{type(value).__qualname__}, which cannot be stored as JSON"
    )


def fits_classes(threshold: Threshold, classes: Sequence[str]) -> bool:
    return len(classes) == 2 and threshold.positive in classes and 0 <= threshold.value <= 1


def describe(data: bytes) -> File:
    return File(hashlib.sha256(data).hexdigest(), len(data))


def encode(manifest: Manifest) -> bytes:
    """The manifest as JSON, without its signature."""
    plain = msgspec.to_builtins(manifest)
    del plain["signature"]
    if manifest.threshold is None:
        del plain["threshold"]
    return (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode()


def decode(data: bytes, name: str, digest: str) -> Manifest:
    """The manifest in `data`. Raises ModelRefused if it was not registered under `digest`."""
    if hashlib.sha256(data).hexdigest() != digest:
        raise refused(name, f"{FILE} does not match its digest")
    try:
        return msgspec.json.decode(data, type=Manifest)
    except UNDECODABLE as error:
        raise refused(name, f"{FILE} cannot be read: {error}") from None


def check_file(name: str, path: str, data: bytes, files: Mapping[str, File]) -> bytes:
    """Returns `data` if it matches the manifest's digest of the file. Raises ModelRefused."""
    expected = files.get(path)
    if expected is None:
        raise refused(name, f"{path} is not in its manifest")
    if len(data) != expected.size or hashlib.sha256(data).hexdigest() != expected.sha256:
        raise refused(name, f"{path} does not match its digest")
    return data


def refused(name: str, why: str) -> ModelRefused:
    return ModelRefused(f"{name}: {why}; restore it from a backup or select another model (zelador models select)")
