"""What a batch says about the state of its devices: the levels of their readings. Pure.

The state itself is stored in Redis and changes in the settling step, where the readings of a device meet that several
workers classified (zelador/alarms/rule.py, buffer/lua/alarms.lua).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from inference.answer import Answered
from zelador.alarms import Rule
from zelador.alarms.classes import alarm_classes
from zelador.alarms.rule import HIGH, LEAST_SILENCE_S, LOW, MAX_WINDOW, MIDDLE, NONE
from zelador.buffer import Sightings
from zelador.messages import Prediction
from zelador.settings import AlarmSettings

CACHED_DEVICES = 16_384
LIMITS = {"on_count": MAX_WINDOW, "window": MAX_WINDOW, "off_count": MAX_WINDOW, "off_s": 86_400.0}  # else 1


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
            f"{rule.high:g}, off when {rule.off_count} are below {rule.low:g} for {rule.off_s:g} s"
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


def sightings(
    answered: Sequence[Answered], refusals: Collection[int], policy: Policy, received_after: int
) -> Sightings:
    """The readings of a batch, by device and in the order of their times.

    Not counted: messages whose predictions the broker refused, and those received before `received_after` (ms), which
    say nothing about the present.
    """
    seen: dict[str, list[Answered]] = {}
    failed: dict[str, list[int]] = {}  # times of readings that were not answered
    for index, item in enumerate(answered):
        arrival = item.arrival
        if arrival is None or arrival.received_at < received_after or index in refusals:
            continue
        device = arrival.device_id
        if device in seen:
            seen[device].append(item)
        else:
            seen[device] = [item]
        if item.failures:
            times = [min(reading.measured_at, arrival.received_at) for reading, _ in item.failures if reading]
            failed.setdefault(device, []).extend(times)
    flat: list[str | int] = []
    rules, rule_of, several = policy.rules, policy.rule_of, len(policy.rules) > 1
    place, probability_of = 0, policy.probability_of
    for device, items in seen.items():
        if several:
            place = rule_of(device)
        rule, predictions, times = rules[place], items[0].predictions, items[0].times
        if len(items) > 1:
            predictions, times = predictions[:], times[:]
            for item in items[1:]:
                predictions += item.predictions
                times += item.times
        if len(times) > 1 and (in_order := sorted(times)) != times:
            predictions = [predictions[i] for i in sorted(range(len(times)), key=times.__getitem__)]
            times = in_order
        shares = probability_of(predictions)
        if not shares or max(shares) < rule.low:  # nearly all
            levels, newest = LOW * len(shares), -1
        else:
            high, low, classes = rule.high, rule.low, policy.classes  # as Rule.level, which costs a call for each
            levels = "".join(
                [
                    LOW if share < low else HIGH if share >= high and each.label in classes else MIDDLE
                    for share, each in zip(shares, predictions, strict=True)
                ]
            )
            newest = levels.rfind(HIGH)
        if failed and device in failed:
            both = sorted([*zip(times, levels, strict=True), *((time, NONE) for time in failed[device])])
            levels, times = "".join([level for _, level in both]), [time for time, _ in both]
        if not times:
            continue
        if times[0] < 0:  # before 1970: older than anything
            times = [max(0, time) for time in times]
        flat += (device, levels, *times)
        if several:
            flat.append(place + 1)
        if newest >= 0:
            prediction = predictions[newest]
            flat += (prediction.label, f"{shares[newest]:.6g}", prediction.reading_id, prediction.model)
    return Sightings(rules, tuple(flat), policy.look_after_s)


def _probability_of(classes: frozenset[str]) -> Callable[[Sequence[Prediction]], list[float]]:
    """A function that gives the probability of the alarm classes together for each of some predictions."""

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
    """`base`, replaced by what training computed, replaced by what is set. A model's values are within limits."""
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
