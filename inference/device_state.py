"""Finds what a batch means for the states of its devices: the levels of their readings. Pure.

The state itself is stored in Redis and changes in the settling step, because several workers classify the readings of
one device (zelador/alarms/rule.py, buffer/lua/alarms.lua).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from inference.answer import Answered
from zelador.alarms.policy import Policy
from zelador.alarms.rule import HIGH, LOW, MIDDLE, NONE
from zelador.buffer import Sightings


def sightings(
    answered: Sequence[Answered], refusals: Collection[int], policy: Policy, received_after: int
) -> Sightings:
    """The readings of a batch, by device and in the order of their times.

    Left out: messages whose predictions the broker refused, and those received before `received_after` (ms), which are
    too old to show the present state.
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
