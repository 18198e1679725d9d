"""What stands for an object while a pickle is followed: nothing of it is imported or constructed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Untraceable(ValueError):
    """The pickle does what cannot be followed, so the list of names may lack some; says what, after `it has`."""


@dataclass(frozen=True, slots=True)
class Name:
    """A global as the pickle names it; `text` is how a person reads it."""

    module: str
    qualname: str

    @property
    def text(self) -> str:
        return f"{self.module}.{self.qualname}"


@dataclass(slots=True, eq=False)
class Instance:
    """What a name gave when it was called; `state` is what BUILD set last, merged where it is a dict."""

    name: Name
    arguments: tuple[Any, ...]
    state: dict[Any, Any] = field(default_factory=dict)
    states: list[Any] = field(default_factory=list)  # that are no dict
    size: int | None = None  # of a dtype's elements, from its state when that was set


@dataclass(slots=True, eq=False)
class Mapping:
    """A dict. Keys that are not text are of no interest; `computed`: some may be text and are not known."""

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
    """An object whose content is of no interest: a set, or what an array wrapper left."""
