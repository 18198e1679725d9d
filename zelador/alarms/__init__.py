"""Alarms of devices: the rule that turns readings into states. `buffer/lua/alarms.lua` applies it in Redis."""

from zelador.alarms.rule import Condition, Rule, Track, step

__all__ = ["Condition", "Rule", "Track", "step"]
