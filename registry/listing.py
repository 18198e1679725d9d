"""Lists models, filtered and sorted. Results are cached until the registry changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import attrgetter, is_not
from types import NoneType
from typing import Any

from registry.log.state import Model, State
from registry.model.manifest_shape import LARGEST_INTEGER
from zelador.errors import InvalidInput

MAX_CACHED = 64  # queries, and columns
MAX_PATCHED = 64  # models that changed, up to which the columns are patched and not read again
NEWEST_FIRST = "-saved_at"
FOLDED = "name, folded"  # without regard to case; no key of the metadata
SCORE = "score"  # `score.F1` is on held-out rows, else of cross-validation


@dataclass(frozen=True, slots=True)
class Query:
    """`sort` is a field or dotted key of the metadata (`metrics.F1`); a leading `-` sorts in descending order.

    `score.F1` is the F1 on held-out rows, or that of cross-validation if nothing was held out. Names are sorted without
    regard to case. `equal`: (key, value) pairs that must match. `least`: (key, number) pairs that must be reached.
    Models without a value for the sort key come last.
    """

    sort: str = NEWEST_FIRST
    equal: tuple[tuple[str, Any], ...] = ()
    least: tuple[tuple[str, float], ...] = ()
    tags: tuple[str, ...] = ()
    text: str = ""  # contained in the name, the description, the notes or a tag


def least(text: str) -> tuple[str, float]:
    """Parses `holdout.F1:0.9` for `Query.least`. Raises InvalidInput."""
    key, _, number = text.rpartition(":")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not key or not math.isfinite(value):
        raise InvalidInput(f"{text[:80]!r}: write KEY:NUMBER, such as holdout.F1:0.9")
    return key, value


class Listing:
    """A cache of the results of the latest queries, for one state."""

    def __init__(self) -> None:
        self._kept: tuple[str | None, Columns, dict[Query, tuple[Model, ...]]] = (None, Columns(()), {})

    def find(self, state: State, query: Query) -> tuple[Model, ...]:
        head, columns, kept = self._kept  # one attribute, read and written atomically, because threads share it
        if state.head != head:
            columns, kept = columns.after(state.models.values()), {}
            self._kept = (state.head, columns, kept)
        found = kept.get(query)
        if found is None:
            if len(kept) >= MAX_CACHED:
                kept.clear()
            found = kept[query] = search(columns, query)
        return found


class Columns:
    """Models in the order of registration, with the values of each key, which are read once for all queries."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = list(models)
        self._kept: dict[str, list[Any]] = {}

    def of(self, key: str) -> list[Any]:
        """The value of a field or of a dotted key of the metadata; None if it is missing, or not a text or number."""
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MAX_CACHED:
                self._kept.clear()
            found = self._kept[key] = read_column(self.models, key)
        return found

    def after(self, models: Iterable[Model]) -> Columns:
        """The columns of a later state. If few models changed, the values of the others are not read again."""
        found = Columns(models)
        rows = list(compress(count(), map(is_not, self.models, found.models)))
        rows += range(len(self.models), len(found.models))
        if len(found.models) < len(self.models) or len(rows) > MAX_PATCHED:
            return found
        changed = [found.models[row] for row in rows]
        added = len(found.models) - len(self.models)
        for key, column in list(self._kept.items()):  # copied, because another thread may read one more
            patched = [*column, *[None] * added]
            for row, value in zip(rows, read_column(changed, key), strict=True):
                patched[row] = value
            found._kept[key] = patched
        return found


def read_column(models: Sequence[Model], key: str) -> list[Any]:
    if key in ("name", "saved_at", "saved_by"):
        return list(map(attrgetter(key), models))
    if key == FOLDED:
        return [model.name.casefold() for model in models]
    values: list[Any] = [model.metadata for model in models]
    whole, _, metric = key.partition(".")
    if whole == SCORE and metric:
        values, key = [facts.get("holdout") or facts.get("metrics") for facts in values], metric
    for part in key.split("."):
        values = [value.get(part) if isinstance(value, dict) else None for value in values]
    return plain_column(values)


def plain_column(values: list[Any]) -> list[Any]:
    """The column with None for each value that cannot be compared and written."""
    kinds = set(map(type, values))
    if kinds <= {str, bool, NoneType}:  # most columns: a check of each value would take ten times as long
        return values
    if kinds <= {float, NoneType} and all(map(math.isfinite, [value for value in values if value is not None])):
        return values
    return [value if _is_plain(value) else None for value in values]


def _is_plain(value: Any) -> bool:
    """True if the value can be compared and written: old entries may contain anything."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -LARGEST_INTEGER <= value < LARGEST_INTEGER
    return isinstance(value, str)


def search(columns: Columns, query: Query) -> tuple[Model, ...]:
    models = columns.models
    rows: Iterable[int] = range(len(models))
    for key, wanted in query.equal:
        column = columns.of(key)
        rows = [row for row in rows if column[row] == wanted]
    for key, number in query.least:
        column = columns.of(key)
        rows = [row for row in rows if isinstance(value := column[row], int | float) and value >= number]
    if query.tags:
        wanted_tags = set(query.tags)
        rows = [row for row in rows if wanted_tags <= set(models[row].tags)]
    if query.text:
        text, descriptions, notes = query.text.casefold(), columns.of("description"), columns.of("notes")
        rows = [row for row in rows if text in _searched(models[row], descriptions[row], notes[row])]
    key = query.sort.removeprefix("-")
    found = _sorted(rows, columns.of(FOLDED if key == "name" else key), query.sort[:1] == "-")
    return tuple(models[row] for row in found)


def _searched(model: Model, description: Any, notes: Any) -> str:
    return "\n".join((model.name, str(description or ""), str(notes or ""), *map(str, model.tags))).casefold()


def _sorted(rows: Iterable[int], column: Sequence[Any], reverse: bool) -> list[int]:
    """Equal values stay in the order of registration, which is reversed too; models without a value come last."""
    having: list[int] = []
    lacking: list[int] = []
    for row in rows:
        (lacking if column[row] is None else having).append(row)
    if reverse:
        having.reverse()
    try:
        having.sort(key=column.__getitem__, reverse=reverse)
    except TypeError:  # numbers and texts for the same key
        having.sort(key=lambda row: str(column[row]), reverse=reverse)
    return having + lacking
