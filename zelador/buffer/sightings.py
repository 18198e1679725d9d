"""What a batch says about the state of its devices, as `settle` takes it."""

from __future__ import annotations

from typing import Any

import msgspec

from zelador.alarms import Rule


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """The readings of one device: a level for each (zelador/alarms/rule.py), and their times (ms), separated by spaces.

    `rule` is the place of its rule, from 1. The rest is of the newest reading at level h, and empty if there is none.
    """

    device: str
    levels: str
    times: str
    rule: int
    label: str = ""
    probability: str = ""
    reading: str = ""
    model: str = ""


class Sightings(msgspec.Struct, frozen=True):
    """`look_after_s`: when a device that is heard again is first checked for silence."""

    rules: tuple[Rule, ...] = ()
    devices: tuple[Sighting, ...] = ()
    look_after_s: float = 60.0

    def arguments(self) -> list[Any]:
        """As described in lua/settle.lua."""
        if not self.devices:
            return [0, 0, 0]
        found: list[Any] = [round(self.look_after_s * 1000), len(self.rules)]
        for rule in self.rules:
            found += (rule.on_count, rule.window, rule.off_count, round(rule.off_s * 1000))
        found.append(len(self.devices))
        for one in self.devices:
            found += (one.device, one.levels, one.times, one.rule, one.label, one.probability, one.reading, one.model)
        return found


NOTHING = Sightings()
