"""The allowed content of manifests and metadata: checked at registration, and again before it is shown.

A list contains many models; one with invalid metadata must not break the list.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from registry.model.manifest import MAX_DEPTH, Manifest, fits_classes
from zelador.errors import InvalidInput
from zelador.undecodable import UNDECODABLE

MAX_METADATA = 65_536  # bytes as JSON, without the confusion matrix
MAX_CONFUSION = 1_048_576
MAX_ANNOTATED = 524_288  # bytes including all later annotations
MAX_NAMES = 10_000  # features or classes
MAX_NAME = 256  # characters of a feature or a class
MAX_UNIT = 64
MAX_FILES = 200
MAX_PATH = 512
MAX_KEY = 256
LARGEST_INTEGER = 1 << 63
DIGEST = re.compile(r"[0-9a-f]{64}")

MAX_CHECKED_IDS = 4_096
MAX_DOCUMENT = 16_777_216  # bytes

Check = Callable[[Any], bool]

# By identity: the metadata of a registered model never changes, and lists show the same objects repeatedly.
_looked_at: dict[int, tuple[object, tuple[Mapping[str, Any], list[str]]]] = {}


def check_manifest(given: Manifest) -> None:
    """Checks a manifest. Raises InvalidInput, naming what is wrong."""
    names = [feature.name for feature in given.features]
    _each_once("features", names)
    _each_once("classes", list(given.classes))
    for feature in given.features:
        ends = (feature.minimum, feature.maximum)
        if len(feature.unit) > MAX_UNIT or not _clean(feature.unit):
            raise InvalidInput(
                f"the unit of {feature.name!r} has more than {MAX_UNIT} characters, or a control character"
            )
        if any(end is not None and not math.isfinite(end) for end in ends):
            raise InvalidInput(f"the range of {feature.name!r} is not finite")
    if len(given.files) > MAX_FILES or len(given.saved_at) > MAX_NAME:
        raise InvalidInput(f"it names {len(given.files)} files; a model has at most {MAX_FILES}")
    if given.threshold is not None and not fits_classes(given.threshold, given.classes):
        raise InvalidInput("its threshold is not between 0 and 1, or does not name one of two classes")
    for path, file in given.files.items():
        if len(path) > MAX_PATH or not DIGEST.fullmatch(file.sha256) or file.size < 0:
            raise InvalidInput(f"its file {path[:80]!r} has no valid SHA-256 or size")
    check_metadata(given.metadata)


def check_metadata(given: Mapping[str, Any], most: int = MAX_METADATA) -> None:
    """Checks the metadata of a model at registration. Raises InvalidInput, naming the key."""
    size = 0
    for key, value in given.items():
        if trouble := _trouble({key: value}):
            raise InvalidInput(f"metadata.{str(key)[:80]}: {trouble}")
        if not fits(key, value):
            raise InvalidInput(f"metadata.{key}: must be {SHAPES[key][1]}, or null")
        if key == "confusion":
            if _size(value) > MAX_CONFUSION:
                raise InvalidInput("metadata.confusion: it has more than 1 MiB")
        else:
            size += len(key) + _size(value)
    if size > most:
        raise InvalidInput(f"metadata has {size:,} bytes as JSON; it may have at most {most:,}")


def check_annotation(merged: Mapping[str, Any]) -> None:
    """Checks annotated metadata, which may have any shape that can be shown. Raises InvalidInput."""
    for key, value in merged.items():
        if trouble := _trouble({key: value}):
            raise InvalidInput(f"metadata.{str(key)[:80]}: {trouble}")
    if (size := _size({key: value for key, value in merged.items() if key != "confusion"})) > MAX_ANNOTATED:
        raise InvalidInput(
            f"metadata has {size:,} bytes as JSON; including annotations it may have at most {MAX_ANNOTATED:,}"
        )


def shown(metadata: object) -> tuple[Mapping[str, Any], list[str]]:
    """The metadata that can be shown, and the keys whose values cannot: old metadata may be unchecked."""
    known = _looked_at.get(id(metadata))
    if known is None or known[0] is not metadata:
        if len(_looked_at) >= MAX_CHECKED_IDS:
            _looked_at.clear()
        known = _looked_at[id(metadata)] = (metadata, _shown(metadata))
    return known[1]


def _shown(metadata: object) -> tuple[Mapping[str, Any], list[str]]:
    if not isinstance(metadata, Mapping):
        return {}, ["metadata"]
    if not _trouble(metadata) and all(fits(key, value) for key, value in metadata.items()):
        return metadata, []  # nearly always: one look at the whole costs a third of a look at each key
    bad = {key for key, value in metadata.items() if not _can_be_shown(key, value)}
    return {key: value for key, value in metadata.items() if key not in bad}, sorted(str(key)[:MAX_KEY] for key in bad)


def _can_be_shown(key: object, value: object) -> bool:
    return not _trouble({key: value}) and fits(str(key), value)


def shown_document(data: bytes) -> Mapping[str, Any]:
    """The content of a model's JSON file, such as its report; empty if it is damaged or cannot be shown."""
    try:
        found = msgspec.json.decode(data) if len(data) <= MAX_DOCUMENT else None
    except UNDECODABLE:
        return {}
    return found if isinstance(found, Mapping) and not _trouble(found) else {}


def fits(key: str, value: object) -> bool:
    """True if the value has the shape that the key requires."""
    return value is None or key not in SHAPES or SHAPES[key][0](value)


def _trouble(value: object) -> str | None:
    """Why a value is not portable JSON; None if it is. Iterates level by level, so that no depth exhausts the stack."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                for key in each:
                    if type(key) is not str or len(key) > MAX_KEY or not _encodable(key):
                        return f"it has a key that is not a text of up to {MAX_KEY} characters"
                deeper += each.values()
            elif kind is list:
                deeper += each
            elif isinstance(each, str):
                if not _encodable(each):
                    return "it has a lone surrogate (half a character)"
            elif isinstance(each, float):
                if not math.isfinite(each):
                    return "it has a number that is not finite"
            elif isinstance(each, int):
                if not -LARGEST_INTEGER <= each < LARGEST_INTEGER:
                    return "it has an integer of more than 64 bits"
            elif isinstance(each, Mapping):
                if any(not isinstance(key, str) or len(key) > MAX_KEY or not _encodable(key) for key in each):
                    return f"it has a key that is not a text of up to {MAX_KEY} characters"
                deeper += each.values()
            elif isinstance(each, list | tuple):
                deeper += each
            elif each is not None:
                return f"it has a {type(each).__name__}"
        if not deeper:
            return None
        level = deeper
    return f"it is nested more than {MAX_DEPTH} deep"


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def _clean(text: str) -> bool:
    return text.isprintable() or not any(unicodedata.category(each) in ("Cc", "Cs") for each in text)


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _each_once(what: str, names: list[str]) -> None:
    if len(names) > MAX_NAMES:
        raise InvalidInput(f"it has {len(names):,} {what}; a model has at most {MAX_NAMES:,}")
    for name in names:
        if not 0 < len(name) <= MAX_NAME or not _clean(name):
            raise InvalidInput(
                f"{name[:80]!r} among its {what} is empty, has more than {MAX_NAME} characters, or a control character"
            )
    if len(set(names)) != len(names):
        raise InvalidInput(f"its {what} must have different names")


# ── the shapes of known keys ─────────────────────────────────────────────────────────────────


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _interval(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(_number(each) for each in value)


def _text(most: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= most


def _mapping(check: Check, most: int = 1_000) -> Check:
    """Null means not known."""

    def checked(value: object) -> bool:
        if not isinstance(value, Mapping) or len(value) > most:
            return False
        return all(each is None or check(each) for each in value.values())

    return checked


def _listed(check: Check, most: int) -> Check:
    return lambda value: (
        isinstance(value, list | tuple) and len(value) <= most and all(each is None or check(each) for each in value)
    )


def _confusion(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    labels, counts = value.get("labels"), value.get("counts")
    if not isinstance(labels, list | tuple) or not isinstance(counts, list | tuple) or len(counts) != len(labels):
        return False
    if not _listed(_text(MAX_NAME), MAX_NAMES)(labels):
        return False
    square = all(isinstance(row, list | tuple) and len(row) == len(labels) for row in counts)
    return square and all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for row in counts for n in row)


def _data(value: object) -> bool:
    """Checks the known keys; others may have any value."""
    if not isinstance(value, Mapping):
        return False
    known: dict[str, Check] = {
        "rows": _number,
        "missing_values": _number,
        "classes": _mapping(_number, MAX_NAMES),
        "notes": _listed(_text(4_000), 1_000),
        **dict.fromkeys(("from", "to", "source", "sha256"), _text(1_000)),
    }
    return all(value.get(key) is None or check(value[key]) for key, check in known.items())


_numbers = _mapping(_number, 1_000)

SHAPES: dict[str, tuple[Check, str]] = {
    "metrics": (_numbers, "numbers by name"),
    "holdout": (_numbers, "numbers by name"),
    "folds": (_mapping(_listed(_number, 1_000)), "lists of numbers by name"),
    "confusion": (_confusion, "labels, and a square table of counts"),
    "features": (_listed(_text(MAX_NAME), MAX_NAMES), "a list of texts"),
    "classes": (_listed(_text(MAX_NAME), MAX_NAMES), "a list of texts"),
    "units": (_mapping(_text(MAX_UNIT), MAX_NAMES), "texts by name"),
    "tags": (_listed(lambda tag: isinstance(tag, str) and 0 < len(tag) <= 64, 100), "a list of short texts"),
    "versions": (_mapping(_text(200)), "texts by name"),
    "data": (_data, "a description of the data, with rows, classes and notes"),
    "parameters": (_mapping(lambda _: True), "values by name"),
    "alarm": (_mapping(lambda each: _number(each) or _text(MAX_NAME)(each)), "a class, and numbers by name"),
    "agreement": (_mapping(lambda _: True), "values by name"),
    "imported": (_mapping(lambda _: True), "values by name"),
    "description": (_text(20_000), "a text"),
    "notes": (_text(20_000), "a text"),
    "model_type": (_text(200), "a text"),
    "metric": (_text(200), "a text"),
    "run": (_text(200), "a text"),
    "positive": (_text(MAX_NAME), "a text"),
    "served_by": (_text(20), "a text"),
    "rank": (_number, "a number"),
    "optimism": (_number, "a number"),
    "shuffled": (_numbers, "numbers by name"),
    "intervals": (_mapping(_interval), "pairs of numbers by name"),
    "holdout_intervals": (_mapping(_interval), "pairs of numbers by name"),
    "not_recommended": (_flag, "true or false"),
    "holdout_rows": (_number, "a number"),
    "train_rows": (_number, "a number"),
    "has_probabilities": (_flag, "true or false"),
}
