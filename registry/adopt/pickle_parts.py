"""Sorts what a pickle holds: models, transformers, label encoders, lists of names, and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from registry.adopt.kinds import is_estimator, is_label_encoder, is_search, kind_of, named
from registry.errors import TypeRefused
from registry.legacy.names_file import is_deciding
from registry.model.classifier import text_of

MAX_DEPTH = 8
MAX_PARTS = 1_000
HARMLESS = (str, bytes, int, float, bool, type(None), np.generic, complex)


@dataclass(frozen=True, slots=True)
class Part:
    """An object, and where it was found: a file's name, then keys and positions."""

    where: str
    what: Any


@dataclass(slots=True)
class Parts:
    models: list[Part] = field(default_factory=list)
    transformers: list[Part] = field(default_factory=list)
    encoders: list[Part] = field(default_factory=list)
    names: list[Part] = field(default_factory=list)  # lists of texts: of columns, or of classes
    mappings: list[Part] = field(default_factory=list)  # dicts between classes and their names
    facts: list[Part] = field(default_factory=list)  # numbers, texts and tables, which change no answer
    foreign: list[Part] = field(default_factory=list)  # objects whose use is not known


def sort(given: Mapping[str, Any]) -> Parts:
    """The parts of the objects in `given`, by the name of their file ("" for a single one). Raises TypeRefused."""
    parts = Parts()
    seen: set[int] = set()
    for file, what in given.items():
        for part in _flat(Part(file, what), 0, seen):
            _group(part, parts).append(part)
            if len(seen) > MAX_PARTS:
                raise TypeRefused(f"it holds more than {MAX_PARTS} objects; save the model alone")
    return parts


def described(part: Part) -> str:
    """Describes the part for people, such as `['scaler'] (StandardScaler)`."""
    kind = named(part.what) if is_estimator(part.what) else type(part.what).__name__
    return f"{part.where} ({kind})" if part.where else kind


def _flat(part: Part, depth: int, seen: set[int]) -> Iterator[Part]:
    what = part.what
    if depth > MAX_DEPTH:
        raise TypeRefused(f"it is nested more than {MAX_DEPTH} deep; save the model alone")
    if not isinstance(what, HARMLESS):
        if id(what) in seen:
            return
        seen.add(id(what))
    inner: list[tuple[Any, Any]] | None = None
    if isinstance(what, Mapping) and not is_estimator(what) and _mapping(what) is None:
        inner = [(repr(key), each) for key, each in what.items()]
    elif isinstance(what, list | tuple | set) and not _is_plain(what):
        inner = list(enumerate(what))
    elif isinstance(what, np.ndarray) and what.dtype == object and texts(what) is None:
        inner = list(enumerate(what.ravel().tolist()))
    elif type(what).__name__ == "SimpleNamespace":
        inner = [(repr(key), each) for key, each in vars(what).items()]
    if inner is None:
        yield part
        return
    for key, each in inner:
        yield from _flat(Part(f"{part.where}[{key}]", each), depth + 1, seen)


def _group(part: Part, parts: Parts) -> list[Part]:
    what = part.what
    if is_estimator(what):
        if is_label_encoder(what):
            return parts.encoders
        if kind_of(what) is not None or hasattr(what, "predict") or is_search(what):
            return parts.models
        return parts.transformers
    if texts(what):
        return parts.names
    if isinstance(what, Mapping):
        return parts.mappings
    if isinstance(what, int | float | np.number) and is_deciding(part.where):
        return parts.facts if what == 0.5 else parts.foreign
    if _is_plain(what):
        return parts.facts
    if callable(what):
        return parts.foreign
    if isinstance(what, HARMLESS) or type(what).__module__.partition(".")[0] in ("pandas", "datetime", "numpy"):
        return parts.facts
    return parts.foreign


def texts(what: Any) -> list[str] | None:
    """The different texts of a list, tuple, array or pandas index; None for anything else."""
    if isinstance(what, np.ndarray) or type(what).__name__ in ("Index", "Series"):
        what = list(what)
    if not isinstance(what, list | tuple) or not what or not all(isinstance(each, str) for each in what):
        return None
    return [str(each) for each in what] if len(set(what)) == len(what) else None  # else labels of rows


def _is_plain(what: Any) -> bool:
    return isinstance(what, list | tuple | set) and all(isinstance(each, HARMLESS) for each in what)


def _mapping(what: Mapping[Any, Any]) -> dict[str, str] | None:
    """Names by class, of `{0: "normal", 1: "fault"}` or `{"normal": 0, "fault": 1}`; None for any other dict."""
    if not what or len(what) > MAX_PARTS:
        return None
    if all(isinstance(key, int | np.integer) for key in what) and all(isinstance(each, str) for each in what.values()):
        return {text_of(key): str(each) for key, each in what.items()}
    codes = list(what.values())
    coded = all(isinstance(key, str) for key in what) and all(type(each) is int for each in codes)
    if coded and len(codes) > 1 and sorted(codes) == list(range(len(codes))):
        return {text_of(each): str(key) for key, each in what.items()}
    return None


def names_by_class(what: Mapping[Any, Any]) -> dict[str, str]:
    return _mapping(what) or {}
