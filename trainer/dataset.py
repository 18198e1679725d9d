"""A data set: labelled rows to train on, from a CSV file or from the buffer."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.run_document import DataFacts
from trainer.columns import DEVICE_NAMES, ROW, TIME_NAMES, choose, times_of
from zelador.errors import InvalidInput
from zelador.messages import iso

WHOLE = re.compile(r"([+-]?\d+)\.0*")  # a whole number; pandas writes 1.0 for 1 in a column with gaps


@dataclass(frozen=True, slots=True)
class Dataset:
    """`rows` is (n, features), with NaN for a missing value; `labels` has one text for each row.

    `devices` has the name of each row's device, `times` the time of its measurement in ms; None if they are not known.
    `first` and `last` are the ends of the times, ISO 8601; None if they are not known, or not times of the calendar.
    """

    rows: NDArray[np.float64]
    labels: tuple[str, ...]
    features: tuple[str, ...]
    source: str
    first: str | None = None
    last: str | None = None
    notes: tuple[str, ...] = field(default=())
    devices: tuple[str, ...] | None = None
    times: NDArray[np.int64] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """In sorted order; of two classes, the later is the positive one."""
        return tuple(sorted(set(self.labels)))

    def facts(self) -> DataFacts:
        """What a model's metadata says of the data that it was trained on."""
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


def check(dataset: Dataset) -> Dataset:
    """Returns `dataset` if it has rows, two classes, and a value of each feature. Raises InvalidInput."""
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
    empty = np.isnan(dataset.rows).all(axis=0)
    if empty.any():
        raise InvalidInput(
            f"{dataset.source} has no value of {dataset.features[int(empty.argmax())]!r} in any labelled row; "
            "leave it out of the features, or fix the column"
        )
    return dataset


def from_csv(
    path: Path,
    features: Sequence[str],
    label: str,
    max_rows: int,
    seed: int,
    device: str | None = None,
    time: str | None = None,
) -> Dataset:
    """Reads a CSV file. Raises InvalidInput if it cannot be read, lacks a column, or has a feature that is no number.

    The header may lack the name of the first column, which is a row number then: some programs write tables like that.
    `device` and `time` are columns: None guesses them by their names, `none` takes none, and the time `row` is the
    order of the rows.
    """
    header, body, shift = _read(path)
    if missing := [name for name in (*features, label) if name not in header]:
        raise InvalidInput(f"{path} has no column {missing[0]!r}; it has {', '.join(header)}")
    if twice := [name for name in features if name == label or features.count(name) > 1]:
        raise InvalidInput(f"{twice[0]!r} is named twice; name each feature once, and do not name the label")
    places = [header.index(name) + shift for name in features]
    label_at = header.index(label) + shift
    taken = (*features, label)
    try:
        device_column = choose(device, DEVICE_NAMES, header, taken)
        time_column = None if time == ROW else choose(time, TIME_NAMES, header, taken)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    more = [None if name is None else header.index(name) + shift for name in (device_column, time_column)]
    rows: list[list[float]] = []
    labels: list[str] = []
    cells: tuple[list[str], list[str]] = ([], [])
    unlabelled = 0
    for number, line in body:
        if len(line) != len(header) + shift:
            raise InvalidInput(f"{path}, line {number}: {len(line)} values, the header has {len(header)}")
        text = label_text(line[label_at])
        if not text:
            unlabelled += 1
            continue
        rows.append([_value(line[at], path, number) for at in places])
        labels.append(text)
        for at, column in zip(more, cells, strict=True):
            if at is not None:
                column.append(line[at].strip())
    notes: list[str] = []
    devices = _devices(device_column, cells[0], device is not None, notes)
    times, calendar = _times(time_column, cells[1], time is not None, path, notes)
    if time == ROW:
        times = range(len(rows))
        notes.append("the order of the rows stands for the time")
    return assemble(
        rows, labels, features, path.name, max_rows, seed,
        unlabelled=unlabelled, devices=devices, times=times, calendar=calendar, notes=notes,
    )  # fmt: skip


def _devices(column: str | None, cells: Sequence[str], asked: bool, notes: list[str]) -> Sequence[str] | None:
    if column is None or not cells:
        return None
    if not asked and len(set(cells)) > len(cells) / 2:
        notes.append(f"the column {column!r} names no devices: nearly each row has a value of its own")
        return None
    notes.append(f"the device is the column {column!r}")
    return cells


def _times(
    column: str | None, cells: Sequence[str], asked: bool, path: Path, notes: list[str]
) -> tuple[Sequence[int] | None, bool]:
    """Times in ms, and whether they are times of the calendar. A column that was only guessed may hold none."""
    if column is None or not cells:
        return None, False
    try:
        times, calendar = times_of(cells)
    except InvalidInput as error:
        if asked:
            raise InvalidInput(f"{path}, column {column!r}: {error}; name another with --time, or none") from None
        notes.append(f"the column {column!r} is not taken for the time: {error}")
        return None, False
    notes.append(f"the time is the column {column!r}")
    return times.tolist(), calendar


def from_readings(
    readings: Iterable[tuple[tuple[float, ...], str, int, str]], features: Sequence[str], max_rows: int, seed: int
) -> Dataset:
    """From tuples of values, label, time of measurement (ms) and device, as the buffer gives them."""
    rows: list[tuple[float, ...]] = []
    labels: list[str] = []
    times: list[int] = []
    devices: list[str] = []
    unlabelled = 0
    for values, label, measured_at, device in readings:
        if not label.strip():
            unlabelled += 1
            continue
        rows.append(values)
        labels.append(label)
        times.append(measured_at)
        devices.append(device)
    return assemble(
        rows, labels, features, "the buffer", max_rows, seed, unlabelled=unlabelled, devices=devices, times=times
    )


def assemble(
    rows: Sequence[Sequence[float]],
    labels: Sequence[str],
    features: Sequence[str],
    source: str,
    max_rows: int,
    seed: int,
    *,
    unlabelled: int = 0,
    devices: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    calendar: bool = True,
    notes: Sequence[str] = (),
) -> Dataset:
    """At most `max_rows` of the rows, drawn at random; `times` in ms. The notes say what was left out or is missing.

    `calendar` is false for times that only order the rows.
    """
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(features))
    matrix[~np.isfinite(matrix)] = np.nan
    notes = [*notes, *([f"{unlabelled} rows without a label were left out"] if unlabelled else [])]
    kept = np.arange(len(labels))
    if len(labels) > max_rows:
        kept = np.sort(np.random.default_rng(seed).choice(len(labels), max_rows, replace=False))
        notes.append(f"{max_rows} of {len(labels)} rows, drawn at random (ZELADOR_TRAINING__MAX_ROWS)")
    matrix = matrix[kept]
    if missing := int(np.isnan(matrix).sum()):
        notes.append(f"{missing} values are missing or not finite; the mean of their feature stands for them")
    kept_times = None if times is None else np.array(times, dtype=np.int64)[kept]
    first = last = None
    if kept_times is not None and len(kept_times) and calendar:
        first, last = iso(int(kept_times.min())), iso(int(kept_times.max()))
    return Dataset(
        matrix,
        tuple(labels[i] for i in kept),
        tuple(features),
        source,
        first,
        last,
        tuple(notes),
        None if devices is None else tuple(devices[i] for i in kept),
        kept_times,
    )


def label_text(value: str) -> str:
    """The label of a table's cell: `1.0` is "1", `True` is "true", `nan` and blank are "". A code like `007` stays."""
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    if text.lower() == "nan":
        return ""
    whole = WHOLE.fullmatch(text)
    return str(int(whole[1])) if whole else text


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]], int]:
    """The header, the lines with their numbers (without blank lines), and how many more cells lines have than it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, line) for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{path} cannot be read ({reason}); name a CSV file with a header") from None
    if len(lines) < 2:
        raise InvalidInput(f"{path} has no rows below its header")
    header, body = lines[0][1], lines[1:]
    return header, body, 1 if len(body[0][1]) == len(header) + 1 else 0


def _value(text: str, path: Path, number: int) -> float:
    """The value as a number; NaN if it is empty or not finite."""
    if not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise InvalidInput(f"{path}, line {number}: {text!r} is not a number, but a feature must be one") from None
    return value if math.isfinite(value) else math.nan
