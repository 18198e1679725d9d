"""How many entries to ask the stream for, when what a worker wants is a number of readings. Pure."""

from __future__ import annotations

from dataclasses import dataclass

GROWTH = 4  # an answer may be so many times as long as the one before


@dataclass(frozen=True, slots=True)
class Appetite:
    """An entry holds one reading or many; XREADGROUP counts entries and can give no part of one.

    At a low rate entries come singly, after a pause in packs: so a worker asks by the last answer's readings an
    entry, and for not much more than the last answer had, or a burst of packs would be a batch of many seconds.
    """

    pack: int  # readings that an entry holds when many came together
    entries_before: int = 0
    readings_before: int = 0

    def entries(self, limit: int) -> int:
        """How many entries to ask for, to get about `limit` readings; at least 1."""
        each = self.readings_before / self.entries_before if self.entries_before else self.pack
        return max(1, min(int(limit / max(1.0, each)), GROWTH * self.entries_before + limit // self.pack))

    def after(self, entries: int, readings: int) -> Appetite:
        """After an answer of so many."""
        return Appetite(self.pack, entries, readings)
