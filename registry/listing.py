"""Listing models: filtered, sorted, and kept until the registry changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

from registry.state import Model, State

KEPT = 64  # queries


@dataclass(frozen=True, slots=True)
class Query:
    """`sort` is a field or dotted key of the metadata (`metrics.F1`), with `-` before it the largest first.

    `equal` are (key, value) pairs that must be so, `least` (key, number) pairs that must be reached; models that
    lack what is sorted by come last.
    """

    sort: str = "-saved_at"
    equal: tuple[tuple[str, Any], ...] = ()
    least: tuple[tuple[str, float], ...] = ()
    tags: tuple[str, ...] = ()
    text: str = ""  # in the name or the description


class Listing:
    """The answers to the latest queries, for one state."""

    def __init__(self) -> None:
        self._kept: tuple[str | None, dict[Query, tuple[Model, ...]]] = (None, {})  # one name: threads share it

    def find(self, state: State, query: Query) -> tuple[Model, ...]:
        head, kept = self._kept
        if state.head != head:
            kept = {}
            self._kept = (state.head, kept)
        found = kept.get(query)
        if found is None:
            if len(kept) >= KEPT:
                kept.clear()
            found = kept[query] = search(state, query)
        return found


def search(state: State, query: Query) -> tuple[Model, ...]:
    found: list[Model] = list(state.models.values())
    for key, wanted in query.equal:
        get = getter(key)
        found = [model for model in found if get(model) == wanted]
    for key, least in query.least:
        get = getter(key)
        found = [model for model in found if isinstance(value := get(model), int | float) and value >= least]
    if query.tags:
        wanted_tags = set(query.tags)
        found = [model for model in found if wanted_tags <= set(model.tags)]
    if query.text:
        text = query.text.casefold()
        found = [
            model for model in found if text in f"{model.name}\n{model.metadata.get('description', '')}".casefold()
        ]
    return _sorted(found, query.sort)


def getter(key: str) -> Callable[[Model], Any]:
    """Of a field of the model, or of what its metadata holds under a dotted key; None where there is none."""
    if key in ("name", "saved_at", "saved_by"):
        return attrgetter(key)
    parts = key.split(".")

    def get(model: Model) -> Any:
        found: Any = model.metadata
        for part in parts:
            if not isinstance(found, dict):
                return None
            found = found.get(part)
        return found

    return get


def _sorted(found: list[Model], sort: str) -> tuple[Model, ...]:
    get, reverse = getter(sort.removeprefix("-")), sort.startswith("-")
    found = sorted(found, key=attrgetter("name"))
    having = [(value, model) for model in found if (value := get(model)) is not None]
    try:
        having.sort(key=itemgetter(0), reverse=reverse)
    except TypeError:  # numbers and texts under one key
        having.sort(key=lambda pair: str(pair[0]), reverse=reverse)
    return (*(model for _, model in having), *(model for model in found if get(model) is None))
