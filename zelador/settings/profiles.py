"""Device profiles: what the messages of a kind of device look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveFloat, ValidationError

from zelador.settings.presets import PRESETS
from zelador.settings.section import Section

DEVICE, FIELD = "{device_id}", "{field}"
DEFAULT = "default"  # the profile of ZELADOR_TOPICS__READING and ZELADOR_FIELDS
NONE = "none"
MAX_PROFILES = 32
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


class SourceSettings(Section):
    """One place where a feature's value may be: value = message[from] * scale + offset, in `unit`."""

    source: str = Field(alias="from", min_length=1, max_length=200)
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    unit_from: str | None = None


def _sources(value: object) -> object:
    """A path, a table, or a list of them: the first that a message has counts."""
    several = value if isinstance(value, list) else [value]
    return [{"from": each} if isinstance(each, str) else each for each in several]


Sources = Annotated[list[SourceSettings], BeforeValidator(_sources), Field(min_length=1, max_length=16)]


class ProfileSettings(Section):
    """A table [profiles.NAME] of the settings file. A table with the name of a preset changes that preset."""

    topic: str = Field(max_length=1_000)
    preset: str | None = None
    fields: dict[str, Sources] = Field(default_factory=dict)
    id: str = "id"
    ts: str = "ts"
    seq: str = "seq"
    label: str = "label"
    device: list[str] = Field(default_factory=list, max_length=8)
    words: dict[str, float] = Field(default_factory=dict, max_length=200)
    text_numbers: bool = False
    window_s: PositiveFloat = Field(default=10.0, le=86_400)
    shared_topic: bool = False

    @property
    def one_value(self) -> bool:
        return FIELD in self.topic


def resolved(
    names: Sequence[str], tables: Mapping[str, Mapping[str, Any]], features: Sequence[str], reading: str
) -> dict[str, ProfileSettings]:
    """The profiles in use, without the default one. Raises ValueError, in the words of the settings."""
    found = {}
    for name in names:
        if name == DEFAULT and name not in tables:
            continue
        if not NAME.fullmatch(name):
            raise ValueError(f"ZELADOR_PROFILES: {name[:40]!r} is not a name: 1 to 40 letters, digits, _ and -")
        table = dict(tables.get(name, {}))
        base = table.get("preset", name if name in PRESETS else None)
        if name not in tables and base is None:
            known = ", ".join([*PRESETS, *tables])
            raise ValueError(
                f"ZELADOR_PROFILES: {name!r} is neither a preset nor a table [profiles.{name}]; known: {known}"
            )
        if base is not None and base not in PRESETS:
            raise ValueError(f"profiles.{name}: {base!r} is not a preset; presets are {', '.join(PRESETS)}")
        preset = PRESETS[base] if base is not None else {}
        own = table.get("fields", {})
        unknown = sorted(set(own) - set(features)) if isinstance(own, dict) else []
        if unknown:
            raise ValueError(
                f"profiles.{name}: fields: {unknown[0]!r} is not among ZELADOR_FEATURES ({', '.join(features)})"
            )
        usual = {feature: place for feature, place in preset.get("fields", {}).items() if feature in features}
        merged = {"topic": reading, **preset, **table, "fields": {**usual, **own} if isinstance(own, dict) else own}
        try:
            found[name] = ProfileSettings(**merged)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"profiles.{name}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
        check_topic(f"profiles.{name}: topic", found[name].topic, (DEVICE, FIELD))
        if found[name].one_value and found[name].device:
            raise ValueError(f"profiles.{name}: device: a topic with {FIELD} names the device itself")
    return found


def check_topic(setting: str, template: str, allowed: Sequence[str] = (DEVICE,)) -> None:
    """Raises ValueError unless the template has {device_id} as one level, and the rest is plain."""
    levels = template.split("/")
    if FIELD in template and FIELD not in allowed:
        raise ValueError(
            f"{setting} holds {FIELD}; one topic a value needs a device profile: ZELADOR_PROFILES=esphome, or a "
            f"table [profiles.NAME] with this topic"
        )
    plain = template
    for name in allowed:
        plain = plain.replace(name, "")
        if levels.count(name) > 1 or template.count(name) != levels.count(name):
            raise ValueError(f"{setting} must hold {name} as a whole level, once")
    if DEVICE not in levels or set(plain) & set("+#{}\0") or template.startswith("$"):
        raise ValueError(
            f"{setting} must hold {DEVICE} as exactly one whole level, no wildcard and no name but {', '.join(allowed)}"
        )


def check_apart(readings: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Raises ValueError if a topic could belong to two of the profiles, or is one that Zelador publishes on."""
    for (first, one), (second, other) in combinations(readings.items(), 2):
        if overlap(one, other):
            raise ValueError(
                f"ZELADOR_PROFILES: a topic can belong to both {first} ({one}) and {second} ({other}); "
                f"give one of them another topic, or leave it out"
            )
    for name, topic in readings.items():
        if name == DEFAULT:
            continue  # the doctor reports it
        for setting, published in own.items():
            if overlap(topic, published):
                raise ValueError(f"the topic of the profile {name} ({topic}) includes that of {setting} ({published})")


def overlap(one: str, other: str) -> bool:
    """True if some topic fits both templates."""
    first, second = one.split("/"), other.split("/")
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(a == b or a[:1] == "{" or b[:1] == "{" for a, b in pairs)


def filter_of(template: str) -> str:
    """The subscription for all topics of a template."""
    return "/".join("+" if level[:1] == "{" else level for level in template.split("/"))


def names_of(given: Sequence[str], tables: Iterable[str]) -> tuple[str, ...]:
    """Named profiles; without names, all tables; without tables, the default."""
    return tuple(given) or tuple(tables) or (DEFAULT,)
