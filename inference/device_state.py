"""Finds what a batch means for the states of its devices: the levels of their readings. Pure.

The state itself is stored in Redis and changes in the settling step, because several workers classify the readings of
one device (zelador/alarms/rule.py, buffer/lua/alarms.lua).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from inference.answer import Answered
from zelador.alarms import Rule
from zelador.alarms.policy import Policy
from zelador.alarms.rule import HIGH, LOW, MIDDLE, NONE
from zelador.buffer import Sightings
from zelador.messages import Prediction

Calm = tuple[Sequence[str], Sequence[int], Sequence[int]]  # Sightings.calm


def sightings(
    answered: Sequence[Answered], refusals: Collection[int], policy: Policy, received_after: int
) -> Sightings:
    """The readings of a batch, by device and in the order of their times, without late ones.

    Left out: messages whose predictions the broker refused, and those received before `received_after` (ms), which are
    too old to show the present state.
    """
    seen: dict[str, list[Answered]] = {}
    failed: dict[str, list[int]] = {}  # times of readings that were not answered
    for index, item in enumerate(answered):
        arrival = item.arrival
        if arrival is None or arrival.received_at < received_after or (refusals and index in refusals):
            continue
        device = arrival.device_id
        if device in seen:
            seen[device].append(item)
        else:
            seen[device] = [item]
        if item.failures:
            times = [min(reading.measured_at, arrival.received_at) for reading, _ in item.failures if reading]
            failed.setdefault(device, []).extend(times)
    calm = _take_calm(seen, failed, policy)
    flat: list[str | float] = []
    rules, rule_of, several = policy.rules, policy.rule_of, len(policy.rules) > 1
    place = 0
    for device, items in seen.items():
        if several:
            place = rule_of(device)
        predictions, times = _in_order(items)
        shares = policy.probability_of(predictions)
        levels = _levels(predictions, shares, rules[place], policy.classes)
        high: list[str | float] = []
        if HIGH in levels:
            high.append(predictions[-1].model)
            for level, share, prediction in zip(levels, shares, predictions, strict=True):
                if level == HIGH:
                    high += (prediction.label, share, prediction.reading_id)
        if device in failed:
            both = sorted([*zip(times, levels, strict=True), *((time, NONE) for time in failed[device])])
            levels, times = "".join([level for _, level in both]), [time for time, _ in both]
        if not times:
            continue
        if times[0] < 0:  # before 1970: older than anything
            times = [max(0, time) for time in times]
        flat += (device, levels, *times)
        if several:
            flat.append(place + 1)
        flat += high
    return Sightings(rules, tuple(flat), policy.look_after_s, calm)


def _take_calm(seen: dict[str, list[Answered]], failed: Collection[str], policy: Policy) -> Calm:
    """Removes the devices with one reading, at level l, from `seen`: nearly all if there are many devices.

    Returns their names, times and rules (from 1; empty if there is only one).
    """
    low = min([rule.low for rule in policy.rules])
    single = [
        (device, items[0].times[0], items[0].predictions[0])
        for device, items in seen.items()
        if len(items) == 1 and len(items[0].times) == 1
    ]
    if failed:
        single = [one for one in single if one[0] not in failed]
    shares = policy.probability_of([prediction for _, _, prediction in single])
    names = [one[0] for one, share in zip(single, shares, strict=True) if share < low and one[1] >= 0]
    times = [one[1] for one, share in zip(single, shares, strict=True) if share < low and one[1] >= 0]
    if len(names) == len(seen):
        seen.clear()
    else:
        for name in names:
            del seen[name]
    return names, times, [policy.rule_of(name) + 1 for name in names] if len(policy.rules) > 1 else ()


def _in_order(items: Sequence[Answered]) -> tuple[list[Prediction], list[int]]:
    """The predictions of a device in the order of their readings' times, and these times.

    A reading that is older than one of an earlier message is late and left out, as it would be in a later batch: it
    tells nothing new about the device. Readings of one message arrived together.
    """
    predictions, times = items[0].predictions, items[0].times
    if len(items) > 1:
        predictions, times = predictions[:], times[:]
        for item in items[1:]:
            predictions += item.predictions
            times += item.times
    if len(times) == 1 or sorted(times) == times:
        return predictions, times
    predictions, times = [], []
    for item in items:
        newest = times[-1] if times else min(item.times, default=0)
        for place in sorted(range(len(item.times)), key=item.times.__getitem__):
            if item.times[place] >= newest:
                predictions.append(item.predictions[place])
                times.append(item.times[place])
    return predictions, times


def _levels(predictions: Sequence[Prediction], shares: Sequence[float], rule: Rule, classes: Collection[str]) -> str:
    """The level of each prediction."""
    if not shares or max(shares) < rule.low:
        return LOW * len(shares)
    high, low = rule.high, rule.low  # as Rule.level, which costs a call for each
    return "".join(
        [
            LOW if share < low else HIGH if share >= high and each.label in classes else MIDDLE
            for share, each in zip(shares, predictions, strict=True)
        ]
    )
