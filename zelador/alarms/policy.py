"""Which labels are alarms, and by which rule: the settings, else what training computed, else a default. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from zelador.alarms.rule import LEAST_SILENCE_S, Rule
from zelador.settings import AlarmSettings

CACHED_DEVICES = 16_384


class Policy(msgspec.Struct, frozen=True):
    """Which labels are alarms, and by which rule. `rule_of` gives the place in `rules` of a device's rule.

    `look_after_s`: when a device that is heard again is first checked for silence.
    """

    classes: frozenset[str]
    rules: tuple[Rule, ...]
    rule_of: Callable[[str], int]
    look_after_s: float


def policy(settings: AlarmSettings, classes: Sequence[str], training: Mapping[str, object]) -> Policy:
    """The policy for a model. `classes` are the model's; `training` is its metadata."""
    known = training.get("alarm")
    default = _rule(Rule(), known if isinstance(known, Mapping) else {}, settings)
    patterns = tuple(settings.devices)
    rules = (default, *(_rule(default, {}, settings.devices[pattern]) for pattern in patterns))

    @lru_cache(maxsize=CACHED_DEVICES)
    def rule_of(device: str) -> int:
        return next((i for i, pattern in enumerate(patterns, 1) if fnmatchcase(device, pattern)), 0)

    names = frozenset(alarm_classes(settings.classes, classes, training))
    return Policy(names, rules, rule_of, min(LEAST_SILENCE_S, settings.silent_s or LEAST_SILENCE_S))


def alarm_classes(wanted: Collection[str] | None, classes: Sequence[str], training: Mapping[str, object]) -> list[str]:
    """The labels that are alarms: those of the settings, else the rarer of two classes of the training data."""
    if wanted is not None:
        return [name for name in classes if name in wanted]
    data = training.get("data")
    counts = data.get("classes") if isinstance(data, Mapping) else None
    if len(classes) != 2 or not isinstance(counts, Mapping):
        return []
    first, second = (counts.get(name) for name in classes)
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        return []
    return [classes[0] if first < second else classes[1]]


def _rule(base: Rule, trained: Mapping[str, object], settings: object) -> Rule:
    """`base`, replaced by what training computed, replaced by what is set. Counts never exceed the window."""
    values = msgspec.structs.asdict(base)
    for name in values:
        given = trained.get(name)
        if isinstance(given, int | float) and not isinstance(given, bool):
            values[name] = given
        if (set_to := getattr(settings, name, None)) is not None:
            values[name] = set_to
    values["window"] = int(values["window"])
    values["on_count"] = min(int(values["on_count"]), values["window"])
    values["off_count"] = min(int(values["off_count"]), values["window"])
    values["low"] = min(values["low"], values["high"])
    return Rule(**values)
