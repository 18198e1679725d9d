"""Labelled rows to learn from, from a CSV file or from the buffer."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zelador.errors import InvalidInput
from zelador.messages import iso


@dataclass(frozen=True, slots=True)
class Dataset:
    """`rows` (n, features) with NaN where a value is not known; `labels` one text a row.

    `first` and `last` are ISO 8601 times of measurement, None where they are not known.
    """

    rows: NDArray[np.float64]
    labels: tuple[str, ...]
    features: tuple[str, ...]
    source: str
    first: str | None = None
    last: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def classes(self) -> tuple[str, ...]:
        """Sorted; of two classes the later one is the positive one."""
        return tuple(sorted(set(self.labels)))

    def facts(self) -> dict[str, Any]:
        """What a model's metadata says of the data it learned from."""
        digest = hashlib.sha256(self.rows.tobytes())
        digest.update("\0".join(self.labels).encode())
        return {
            "source": self.source,
            "rows": len(self.labels),
            "from": self.first,
            "to": self.last,
            "classes": dict(sorted(Counter(self.labels).items())),
            "missing_values": int(np.isnan(self.rows).sum()),
            "sha256": digest.hexdigest(),
            "notes": list(self.notes),
        }


def check(dataset: Dataset, folds: int, holdout: float) -> Dataset:
    """Gives `dataset` back if classifiers can be compared on it. Raises InvalidInput, saying what to do."""
    if not dataset.labels:
        raise InvalidInput(
            f"{dataset.source} has no labelled readings; publish readings with a label, "
            "or train with --csv FILE --label COLUMN"
        )
    counts = Counter(dataset.labels)
    if len(counts) < 2:
        raise InvalidInput(
            f"{dataset.source} has only the class {next(iter(counts))!r}; a classifier needs at least two"
        )
    label, fewest = min(counts.items(), key=lambda item: item[1])
    need = math.ceil(folds / (1 - holdout)) + 1
    if fewest < need:
        raise InvalidInput(
            f"{dataset.source} has {fewest} rows of the class {label!r}; {folds} folds and a hold-out need at least "
            f"{need} of each: label more readings, or take fewer folds (ZELADOR_TRAINING__FOLDS)"
        )
    return dataset


def from_csv(path: Path, features: Sequence[str], label: str, max_rows: int, seed: int) -> Dataset:
    """Raises InvalidInput: no such file, a column missing, a feature that is no number.

    A header that lacks the name of the first column (a row number, as pandas writes it) is understood.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{path} cannot be read ({reason}); name a CSV file with a header") from None
    if len(lines) < 2:
        raise InvalidInput(f"{path} has no rows below its header")
    header, body = lines[0], lines[1:]
    shift = 1 if len(body[0]) == len(header) + 1 else 0
    if missing := [name for name in (*features, label) if name not in header]:
        raise InvalidInput(f"{path} has no column {missing[0]!r}; it has {', '.join(header)}")
    places = [header.index(name) + shift for name in features]
    label_at = header.index(label) + shift
    rows: list[list[float]] = []
    labels: list[str] = []
    unlabelled = 0
    for number, line in enumerate(body, start=2):
        if len(line) != len(header) + shift:
            raise InvalidInput(f"{path}, line {number}: {len(line)} values, the header has {len(header)}")
        text = label_text(line[label_at])
        if not text:
            unlabelled += 1
            continue
        rows.append([_value(line[at], path, number) for at in places])
        labels.append(text)
    notes = [f"{unlabelled} rows without a label were left out"] if unlabelled else []
    return _capped(
        Dataset(_matrix(rows, len(features)), tuple(labels), tuple(features), path.name), max_rows, seed, notes
    )


def from_readings(
    readings: Iterable[tuple[tuple[float, ...], str, int]], features: Sequence[str], max_rows: int, seed: int
) -> Dataset:
    """From (values, label, measured at in ms), as the buffer gives them."""
    rows: list[tuple[float, ...]] = []
    labels: list[str] = []
    times: list[int] = []
    for values, label, measured_at in readings:
        rows.append(values)
        labels.append(label)
        times.append(measured_at)
    first, last = (iso(min(times)), iso(max(times))) if times else (None, None)
    dataset = Dataset(_matrix(rows, len(features)), tuple(labels), tuple(features), "the buffer", first, last)
    return _capped(dataset, max_rows, seed, [])


def label_text(value: str) -> str:
    """A table's label as text: `1.0` is "1", `True` is "true"; blank is ""."""
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        number = float(text)
    except ValueError:
        return text
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() and "e" not in text.lower() else text


def _value(text: str, path: Path, number: int) -> float:
    if not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise InvalidInput(f"{path}, line {number}: {text!r} is not a number; a feature must be one") from None
    return value if math.isfinite(value) else math.nan


def _matrix(rows: Sequence[Sequence[float]], width: int) -> NDArray[np.float64]:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _capped(dataset: Dataset, max_rows: int, seed: int, notes: list[str]) -> Dataset:
    count = len(dataset.labels)
    kept = np.arange(count)
    if count > max_rows:
        kept = np.sort(np.random.default_rng(seed).choice(count, max_rows, replace=False))
        notes = [*notes, f"{max_rows} of {count} rows, drawn at random (ZELADOR_TRAINING__MAX_ROWS)"]
    labels = tuple(dataset.labels[i] for i in kept)
    return Dataset(
        dataset.rows[kept], labels, dataset.features, dataset.source, dataset.first, dataset.last, tuple(notes)
    )
