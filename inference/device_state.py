"""What a batch says about the state of its devices: the levels of their readings. Pure.

The state itself is stored in Redis and changes in the settling step, where the readings of a device meet that several
workers classified (zelador/alarms/rule.py, buffer/lua/alarms.lua).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import gt

from inference.answer import Answered
from zelador.alarms.policy import Policy
from zelador.alarms.rule import HIGH, LOW, NONE
from zelador.buffer import Sightings
from zelador.messages import Prediction


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
