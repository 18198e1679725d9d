"""Decides which labels are alarms, and by which rule: by the settings, else by training, else by default. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from zelador.alarms.rule import LEAST_SILENCE_S, MAX_WINDOW, Rule
from zelador.messages import Prediction
from zelador.settings import AlarmSettings

CACHED_DEVICES = 16_384
MAX_S = 86_400.0  # of a model's times
LIMITS = {
    "on_count": MAX_WINDOW,
    "window": MAX_WINDOW,
    "off_count": MAX_WINDOW,
    "off_s": MAX_S,
    "hold_s": MAX_S,
}  # else 1


class Policy(msgspec.Struct, frozen=True):
    """Which labels are alarms, and by which rule. `rule_of` gives the place in `rules` of a device's rule.

    `look_after_s`: when a device that is heard again is first checked for silence.
    """

    classes: frozenset[str]
    rules: tuple[Rule, ...]
    rule_of: Callable[[str], int]
    probability_of: Callable[[Sequence[Prediction]], list[float]]
    look_after_s: float

    @property
    def described(self) -> str:
        rule = self.rules[0]
        if not self.classes:
            return "none, as it is not known which labels are alarms; name them in ZELADOR_ALARM__CLASSES"
        return (
            f"{', '.join(sorted(self.classes))}, on when {rule.on_count} of {rule.window} readings are at least "
            f"{rule.high:g}, off when {rule.off_count} are below {rule.low:g} for {rule.off_s:g} s, and at most one in "
            f"{rule.hold_s:g} s"
        )


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
    return Policy(
        names, rules, rule_of, _probability_of(names), min(LEAST_SILENCE_S, settings.silent_s or LEAST_SILENCE_S)
    )


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


def _probability_of(classes: frozenset[str]) -> Callable[[Sequence[Prediction]], list[float]]:
    """Returns a function that adds up the probabilities of the alarm classes, for each prediction."""

    def of_many(predictions: Sequence[Prediction]) -> list[float]:
        return [
            1.0 * (each.label in classes)
            if each.probabilities is None
            else sum([each.probabilities.get(name, 0.0) for name in classes])
            for each in predictions
        ]

    def of_one(predictions: Sequence[Prediction]) -> list[float]:
        return [
            1.0 * (each.label == only) if each.probabilities is None else each.probabilities.get(only, 0.0)
            for each in predictions
        ]

    only = next(iter(classes), "")
    return of_one if len(classes) == 1 else of_many


def _rule(base: Rule, trained: Mapping[str, object], settings: object) -> Rule:
    """The rule: each value from the settings, else from training (within LIMITS), else from `base`."""
    values = msgspec.structs.asdict(base)
    for name in values:
        given = trained.get(name)
        if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= LIMITS.get(name, 1.0):
            values[name] = given
        if (set_to := getattr(settings, name, None)) is not None:
            values[name] = set_to
    values["window"] = max(1, int(values["window"]))
    for name in ("on_count", "off_count"):
        values[name] = min(max(1, int(values[name])), values["window"])
    values["low"] = min(values["low"], values["high"])
    return Rule(**values)
