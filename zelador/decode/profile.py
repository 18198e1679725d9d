"""What a device's messages look like, compiled from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Path = tuple[str, ...]  # keys from the outside to the inside; a digit is also an index of an array, `*` is any key

MAX_FOUND = 64  # values that a path with `*` may find
NONE = "none"  # instead of a path: this is not in the message


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a feature's value may be: value = message[path] * scale + offset, in the feature's unit.

    `own_scale` and `own_offset` do not convert the unit: they are for a value that comes with its unit.
    """

    path: Path
    scale: float = 1.0
    offset: float = 0.0
    unit_at: Path | None = None  # the message names the value's unit here
    own_scale: float = 1.0
    own_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """`sources` has the alternatives for each feature, in the order of the settings' features; the first found counts.

    `ts`, `seq`, `id` and `label` are None if the message has none. `device` are the keys that name the device, if the
    topic does not. In a profile with {field} in its topic, a message is the value of one field.
    """

    name: str
    topic: str
    sources: tuple[tuple[Source, ...], ...]
    ts: Path | None = ("ts",)
    seq: Path | None = ("seq",)
    id: Path | None = ("id",)
    label: Path | None = ("label",)
    device: tuple[Path, ...] = ()
    words: Mapping[str, float] = field(default_factory=dict)
    text_numbers: bool = False
    window_s: float = 10.0
    shared_topic: bool = False  # devices without any of the features publish there too

    @property
    def one_value(self) -> bool:
        return "{field}" in self.topic

    @property
    def plain(self) -> bool:
        """True if messages are flat objects of numbers: these are read several times faster."""
        flat = all(len(each) == 1 and len(each[0].path) == 1 and each[0].unit_at is None for each in self.sources)
        keys = (self.ts, self.seq, self.id, self.label)
        own = all(key is not None and len(key) == 1 for key in keys)
        names = [each[0].path[0] for each in self.sources] + [key[0] for key in keys if key]
        distinct = len(set(names)) == len(names)
        converted = self.words or self.text_numbers or any(each[0].offset for each in self.sources)
        return flat and own and distinct and not converted and not self.device and not self.one_value


def path_of(text: str) -> Path:
    return tuple(text.split("."))


def find(document: object, path: Path) -> list[object]:
    """The values at `path`: at most one, unless it has a `*`."""
    if len(path) > 1 and isinstance(document, dict) and (whole := ".".join(path)) in document:
        return [document[whole]]  # a key that has a dot in its name
    found = [document]
    for step in path:
        inner: list[object] = []
        for value in found:
            if isinstance(value, dict):
                if step == "*":
                    inner += list(value.values())[:MAX_FOUND]
                elif step in value:
                    inner.append(value[step])
            elif isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value):
                inner.append(value[int(step)])
        found = inner[:MAX_FOUND]
    return found
