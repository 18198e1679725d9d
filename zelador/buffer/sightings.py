"""What the readings of a batch mean for the states of their devices, in the form that `settle` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from zelador.alarms import Rule
from zelador.alarms.rule import HIGH

_packed = msgspec.msgpack.Encoder().encode


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """The readings of one device, in the order of their times (ms since 1970 UTC): a level for each (alarms/rule.py).

    `rule` is the place of its rule, from 1. The rest is of each reading at level h.
    """

    device: str
    levels: str
    times: tuple[int, ...]
    rule: int = 1
    label: str = ""
    probability: float = 0.0
    reading: str = ""
    model: str = ""


class Sightings(msgspec.Struct, frozen=True):
    """`calm` has the names, times and rules (empty if there is only one) of the devices with one reading, at level l,
    and `flat` the others, as described in lua/settle.lua. `look_after_s`: when a device that is heard again is first
    checked for silence.
    """

    rules: tuple[Rule, ...] = ()
    flat: tuple[Any, ...] = ()
    look_after_s: float = 60.0
    calm: tuple[Sequence[str], Sequence[int], Sequence[int]] = ((), (), ())

    @classmethod
    def of(cls, rules: tuple[Rule, ...], devices: Sequence[Sighting], look_after_s: float = 60.0) -> Sightings:
        flat: list[Any] = []
        for one in devices:
            flat += (one.device, one.levels, *one.times)
            if len(rules) > 1:
                flat.append(one.rule)
            if HIGH in one.levels:
                flat += (one.model, *(one.label, one.probability, one.reading) * one.levels.count(HIGH))
        return cls(rules, tuple(flat), look_after_s)

    def arguments(self) -> list[Any]:
        found: list[Any] = [round(self.look_after_s * 1000), len(self.rules)]
        for rule in self.rules:
            found += (rule.on_count, rule.window, rule.off_count, round(rule.off_s * 1000), round(rule.hold_s * 1000))
        found.append(_packed((*self.calm, *self.flat)))
        return found


NOTHING = Sightings()
