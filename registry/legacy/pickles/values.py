"""Placeholders for objects while a pickle is followed: nothing is imported or constructed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Untraceable(ValueError):
    """The pickle cannot be followed, so the list of names may be incomplete. The message continues `it has`."""


@dataclass(frozen=True, slots=True)
class Name:
    """A global, as the pickle names it; `text` is its readable form."""

    module: str
    qualname: str

    @property
    def text(self) -> str:
        return f"{self.module}.{self.qualname}"


@dataclass(slots=True, eq=False)
class Instance:
    """The result of calling a name; `state` is what BUILD set, merged if it is a dict."""

    name: Name
    arguments: tuple[Any, ...]
    state: dict[Any, Any] = field(default_factory=dict)
    states: list[Any] = field(default_factory=list)  # that are not dicts
    size: int | None = None  # of a dtype's elements, if its state was set


@dataclass(slots=True, eq=False)
class Mapping:
    """A dict. Keys that are not text are ignored; `computed`: some keys may be texts that are not known."""

    items: dict[str, Any] = field(default_factory=dict)
    computed: bool = False

    def put(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise Untraceable("an odd number of keys and values")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if isinstance(key, str):
                self.items[key] = value
            elif isinstance(key, Name | Instance | Opaque):
                self.computed = True


class Opaque:
    """An object whose content does not matter: a set, or the result of an array wrapper."""
