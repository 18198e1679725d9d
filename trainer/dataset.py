"""A data set: the labeled rows that a run trains on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from archive.dataset.fewest import DRAWN_HOLDOUT, FOLDS, fewest_rows
from registry.run_document import DataFacts
from trainer.draw import draw
from zelador.errors import InvalidInput
from zelador.messages import iso, label_text
from zelador.messages.classes import class_notes, looks_like_regression, named
from zelador.printable import counted
from zelador.ranges import Ranges
from zelador.settings import Settings

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labeled rows. `rows` is (n, features), with NaN for a missing value; `labels` has one text for each row.

    `devices` has the name of each row's device, `times` its time of measurement in ms; None if they are not known.
    `first` and `last` are the earliest and latest time in ISO 8601; None if times are not known, or only count rows.
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
    query: Mapping[str, object] | None = None  # returns the same rows again
    digest: str | None = None  # of the rows that the query returned

    @property
    def classes(self) -> tuple[str, ...]:
        """The distinct labels, sorted."""
        return tuple(sorted(set(self.labels)))

    def facts(self) -> DataFacts:
        """Returns what a model's metadata says about its training data."""
        digest = hashlib.sha256(self.rows.tobytes())
        digest.update("\0".join(self.labels).encode())
        facts: DataFacts = {
            "source": self.source,
            "rows": len(self.labels),
            "from": self.first,
            "to": self.last,
            "classes": dict(sorted(Counter(self.labels).items())),
            "missing_values": int(np.isnan(self.rows).sum()),
            "sha256": digest.hexdigest(),
            "notes": list(self.notes),
        }
        if self.query is not None and self.digest is not None:
            facts["query"], facts["digest"] = dict(self.query), self.digest
            if isinstance(at := self.query.get("labels_at"), str):
                facts["labels_at"] = at
        return facts


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the labeled rows are used, at most `max_rows` of them.

    `classes` and `devices` are the only ones to use; empty for all. A class with fewer than `fewest` rows is left
    out, if two others remain.
    """

    max_rows: int = 100_000
    seed: int = 7
    classes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    fewest: int = 1

    @classmethod
    def of(cls, settings: Settings, classes: Sequence[str] = (), devices: Sequence[str] = ()) -> Choice:
        training = settings.training
        fewest = fewest_rows(training.folds or FOLDS, training.holdout or DRAWN_HOLDOUT)
        known = tuple(text for label in classes if (text := label_text(label)) is not None)
        return cls(training.max_rows, training.seed, known, tuple(devices), fewest)


def check(dataset: Dataset, folds: int, holdout: float) -> Dataset:
    """Returns `dataset` if classifiers can be compared on it. Raises InvalidInput, with what to do, if not."""
    if not dataset.labels:
        raise InvalidInput(
            f"{dataset.source} has no labeled readings; publish readings with a label, "
            "or train with --csv FILE --label COLUMN"
        )
    counts = Counter(dataset.labels)
    if looks_like_regression(counts):
        raise InvalidInput(
            f"{dataset.source}: the label has {len(counts)} different numbers, so this looks like a regression; "
            "Zelador predicts classes: group the numbers into a few classes first, or name another --label"
        )
    if len(counts) < 2:
        raise InvalidInput(
            f"{dataset.source} has only the class {next(iter(counts))!r}; a classifier needs at least two"
        )
    label, fewest = min(counts.items(), key=lambda item: item[1])
    need = fewest_rows(folds, holdout)
    if fewest < need:
        raise InvalidInput(
            f"{dataset.source} has {counted(fewest, 'row')} of the class {label!r}; {folds} folds and a hold-out need "
            f"at least {need} of each: label more readings, or use fewer folds (ZELADOR_TRAINING__FOLDS)"
        )
    empty = np.isnan(dataset.rows).all(axis=0)
    if empty.any():
        raise InvalidInput(
            f"{dataset.source} has no value of {dataset.features[int(empty.argmax())]!r} in any labeled row; "
            "leave it out of the features, or fix the column"
        )
    return dataset


def assemble(
    rows: Sequence[Sequence[float]],
    labels: Sequence[str],
    features: Sequence[str],
    source: str,
    max_rows: int,
    seed: int,
    *,
    devices: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    calendar: bool = True,
) -> Dataset:
    """Returns a data set of at most `max_rows` of these rows, drawn by class; `times` in ms."""
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(features))
    return select(
        matrix, labels, features, source, Choice(max_rows, seed), devices=devices, times=times, calendar=calendar
    )


def select(
    matrix: NDArray[np.float64],
    labels: Sequence[str | None],
    features: Sequence[str],
    source: str,
    choice: Choice,
    *,
    devices: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    calendar: bool = True,
    ranges: Ranges | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Returns the rows that `choice` selects. `notes` gets what was left out, and how many values are missing."""
    all_notes = list(notes)
    matrix[~np.isfinite(matrix)] = np.nan
    texts = np.array([label or "" for label in labels], dtype=object)
    kept: Mask = texts != ""
    if unlabeled := int((~kept).sum()):
        all_notes.append(counted(unlabeled, "row without a label was", "rows without a label were") + " left out")
    kept &= _within_ranges(matrix, kept, ranges, all_notes)
    kept &= _rows_with(devices, choice.devices, kept, source, "device", "--devices", all_notes)
    found = Counter(texts[kept].tolist())
    all_notes += class_notes({label: found[label] for label in found if not choice.classes or label in choice.classes})
    kept &= _rows_with(texts.tolist(), choice.classes, kept, source, "class", "--classes", all_notes)
    kept &= _large_enough(texts, kept, choice.fewest, all_notes)
    places = np.flatnonzero(kept)
    if len(places) > choice.max_rows:
        all_notes.append(
            f"{choice.max_rows} of {len(places)} rows, drawn at random from each class (ZELADOR_TRAINING__MAX_ROWS)"
        )
        places = places[draw(texts[places].tolist(), choice.max_rows, choice.fewest, choice.seed)]
    matrix = matrix[places]
    if missing := int(np.isnan(matrix).sum()):
        all_notes.append(missing_note(missing))
    kept_times = None if times is None else np.array(times, dtype=np.int64)[places]
    first: str | None = None
    last: str | None = None
    if kept_times is not None and len(kept_times) and calendar:
        first, last = iso(int(kept_times.min())), iso(int(kept_times.max()))
    return Dataset(
        matrix,
        tuple(texts[places].tolist()),
        tuple(features),
        source,
        first,
        last,
        tuple(all_notes),
        None if devices is None else tuple(devices[at] for at in places),
        kept_times,
    )


def missing_note(count: int) -> str:
    """Returns the note about values that are missing in the rows."""
    values = counted(count, "value is", "values are")
    return f"{values} missing or not finite; the mean of the feature stands for {'it' if count == 1 else 'them'}"


def _within_ranges(matrix: NDArray[np.float64], kept: Mask, ranges: Ranges | None, notes: list[str]) -> Mask:
    """Marks rows whose values a working sensor can have. Live readings with other values are quarantined."""
    if ranges is None:
        return np.ones(len(matrix), dtype=bool)
    low, high = np.array(ranges.bounds, dtype=np.float64).reshape(-1, 2).T
    inside: Mask = (((matrix >= low) & (matrix <= high)) | np.isnan(matrix)).all(axis=1)
    if count := int((kept & ~inside).sum()):
        example = ranges.objection(matrix[int((kept & ~inside).argmax())].tolist())
        hint = "; does the column need a scale (ZELADOR_FIELDS)?" if count > kept.sum() / 2 else ""
        notes.append(
            f"{counted(count, 'row was', 'rows were')} left out, as live readings would be refused: {example}{hint}"
        )
    return inside


def _rows_with(values: Sequence[str] | None, wanted: Sequence[str], kept: Mask, source: str, what: str, option: str,
            notes: list[str]) -> Mask:  # fmt: skip
    """Marks rows whose value is one of `wanted`; all rows if `wanted` is empty."""
    if not wanted:
        return np.ones(len(kept), dtype=bool)
    if values is None:
        raise InvalidInput(f"{source} does not name the {what} of its rows, so {option} cannot be used")
    there = {value for value, is_kept in zip(values, kept, strict=True) if is_kept}
    if unknown := [each for each in wanted if each not in there]:
        raise InvalidInput(f"{option}: {source} has no {what} {unknown[0]!r}; it has {named(list(there))}")
    chosen = np.isin(np.array(values, dtype=object), list(wanted))
    if left := len(there - set(wanted)):
        notes.append(
            f"only the {what} {named(list(wanted))} ({option}); {counted(left, 'other was', 'others were')} left out"
        )
    return chosen


def _large_enough(texts: NDArray[np.object_], kept: Mask, fewest: int, notes: list[str]) -> Mask:
    """Marks rows of classes with at least `fewest` rows; all rows if fewer than two classes would remain.

    Labels that look like measurements are left for `check` to refuse.
    """
    counts = Counter(texts[kept].tolist())
    small = {label: count for label, count in counts.items() if count < fewest}
    if not small or len(counts) - len(small) < 2 or looks_like_regression(counts):
        return np.ones(len(kept), dtype=bool)
    shown = ", ".join(f"{label!r} ({counted(count, 'row')})" for label, count in sorted(small.items())[:10])
    more = f" and {len(small) - 10} more" if len(small) > 10 else ""
    notes.append(f"classes with fewer than {fewest} rows were left out: {shown}{more}")
    return ~np.isin(texts, list(small))
