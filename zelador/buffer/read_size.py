"""Computes how many stream entries to request to get a given number of readings. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MAX_GROWTH = 4  # a reply may have this many times the entries of the previous one


@dataclass(frozen=True, slots=True)
class ReadSize:
    """The size of the next read. XREADGROUP counts entries, and an entry contains from one to many readings.

    At a low rate entries have one reading each; after a pause they are packed. So the estimate uses the readings per
    entry of the last reply. It grows only by `MAX_GROWTH` per read: otherwise, a burst of packed entries would become
    a batch that takes many seconds.
    """

    pack: int  # readings in a full entry
    entries_before: int = 0
    readings_before: int = 0

    def entries(self, limit: int) -> int:
        """How many entries to request to get about `limit` readings; at least 1."""
        per_entry = self.readings_before / self.entries_before if self.entries_before else self.pack
        return max(1, min(int(limit / max(1.0, per_entry)), MAX_GROWTH * self.entries_before + limit // self.pack))

    def after(self, entries: int, readings: int) -> ReadSize:
        """The size after a reply with `entries` entries and `readings` readings."""
        return ReadSize(self.pack, entries, readings)
