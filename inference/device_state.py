"""What a batch says about the state of its devices: the levels of their readings. Pure.

The state itself is stored in Redis and changes in the settling step, where the readings of a device meet that several
workers classified (zelador/alarms/rule.py, buffer/lua/alarms.lua).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import gt

import msgspec

from inference.answer import Answered
from zelador.alarms import Rule
from zelador.alarms.rule import HIGH, LEAST_SILENCE_S, LOW, NONE
from zelador.buffer import Sightings
from zelador.messages import Prediction
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


def sightings(
    answered: Sequence[Answered], refusals: Collection[int], policy: Policy, received_after: int
) -> Sightings:
    """The readings of a batch, by device and in the order of their times.

    Not counted: messages whose predictions the broker refused, and those received before `received_after` (ms), which
    say nothing about the present.
    """
    levels_of: dict[str, str] = {}
    times_of: dict[str, list[int]] = {}
    newest: dict[str, tuple[int, Prediction, float]] = {}  # at level h
    classes, rules = policy.classes, policy.rules
    rule, several = rules[0], len(rules) > 1
    only = next(iter(classes)) if len(classes) == 1 else None
    for index, item in enumerate(answered):
        arrival = item.arrival
        if arrival is None or arrival.received_at < received_after or index in refusals:
            continue
        device = arrival.device_id
        if several:
            rule = rules[policy.rule_of(device)]
        levels = ""
        for place, prediction in enumerate(item.predictions):
            shares = prediction.probabilities
            if shares is None:
                probability = 1.0 if prediction.label in classes else 0.0
            elif only is not None:
                probability = shares.get(only, 0.0)
            else:
                probability = sum([shares.get(name, 0.0) for name in classes])
            if probability < rule.low:
                levels += LOW
                continue
            level = rule.level(probability, prediction.label in classes)
            levels += level
            if level == HIGH and (device not in newest or item.times[place] >= newest[device][0]):
                newest[device] = (item.times[place], prediction, probability)
        times = item.times
        if item.failures:
            failed = [min(reading.measured_at, arrival.received_at) for reading, _ in item.failures if reading]
            levels, times = levels + NONE * len(failed), times + failed
        if device in levels_of:
            levels_of[device] += levels
            times_of[device] += times
        elif levels:
            levels_of[device] = levels
            times_of[device] = times[:]
    flat: list[str | int] = []
    for device, levels in levels_of.items():
        times = times_of[device]
        if len(times) == 1:
            flat += (device, levels, str(times[0]))
        else:
            if any(map(gt, times, times[1:])):
                levels, times = _in_order(levels, times)
            flat += (device, levels, " ".join(map(str, times)))
        if several:
            flat.append(policy.rule_of(device) + 1)
        if device in newest:
            _, prediction, probability = newest[device]
            flat += (prediction.label, f"{probability:.6g}", prediction.reading_id, prediction.model)
    return Sightings(rules, len(levels_of), tuple(flat), policy.look_after_s)


def _in_order(levels: str, times: Sequence[int]) -> tuple[str, list[int]]:
    order = sorted(range(len(times)), key=times.__getitem__)
    return "".join([levels[place] for place in order]), [times[place] for place in order]


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
