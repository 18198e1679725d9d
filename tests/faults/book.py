"""Records the outcome of each reading as seen from outside, in a few bytes each, so that hours of readings fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

ROOM = 65_536  # readings by which the book grows
DIGITS = 9
MOST_SEEN = 255  # a count is one byte


class Marks:
    """A byte for each number, 0 at first. Each number is written by one thread at a time."""

    def __init__(self) -> None:
        self._bytes = bytearray(ROOM)

    def __getitem__(self, number: int) -> int:
        found = self._bytes
        return found[number] if number < len(found) else 0

    def __setitem__(self, number: int, value: int) -> None:
        while number >= len(self._bytes):
            self._bytes.extend(bytes(ROOM))
        self._bytes[number] = value

    def piece(self, first: int, last: int) -> bytes:
        return bytes(self._bytes[first:last]).ljust(last - first, b"\0")


class Book:
    """The numbered readings of one name; `pattern` finds them in the bytes of any message."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acknowledged = Marks()  # by the broker, to the device
        self.stored = Marks()  # by an ingester, to the broker
        self.confirmed = Marks()  # the prediction: by the broker, to a worker
        self.predicted = Marks()  # how often a subscriber got its prediction
        self._reading = re.compile(rb'"id":"%s-(\d{%d})"' % (name.encode(), DIGITS))
        self._prediction = re.compile(rb'"reading_id":"%s-(\d{%d})"' % (name.encode(), DIGITS))

    def id(self, number: int) -> str:
        return f"{self.name}-{number:0{DIGITS}d}"

    def readings(self, payload: bytes) -> list[int]:
        return [int(number) for number in self._reading.findall(payload)]

    def predictions(self, payload: bytes) -> list[int]:
        return [int(number) for number in self._prediction.findall(payload)]

    def missing(self, first: int, last: int) -> list[int]:
        """Readings that were acknowledged to the device and have no prediction."""
        told, got = self.acknowledged.piece(first, last), self.predicted.piece(first, last)
        return [first + i for i, (a, p) in enumerate(zip(told, got, strict=True)) if a and not p]

    def verdict(self, first: int, last: int, in_redis: Callable[[int], bool]) -> Verdict:
        """The verdict on the readings `first` to `last`, once nothing changes any more."""
        missing = self.missing(first, last)
        not_handed_on = [n for n in missing if not self.stored[n] and not self.confirmed[n] and not in_redis(n)]
        not_passed_on = [n for n in missing if self.confirmed[n]]
        excused = {*not_handed_on, *not_passed_on}
        got, told = self.predicted.piece(first, last), self.acknowledged.piece(first, last)
        return Verdict(
            readings=len(told) - told.count(0),
            lost=tuple(n for n in missing if n not in excused),
            lost_by_broker=len(excused),
            not_handed_on=tuple(not_handed_on),
            not_passed_on=tuple(not_passed_on),
            repeated=sum(got) - (len(got) - got.count(0)),
        )

    def known_to_us(self, last: int) -> int:
        """Readings that the buffer must have counted: an ingester acknowledged them, or there is a prediction."""
        both = zip(self.stored.piece(0, last), self.predicted.piece(0, last), strict=True)
        return sum(1 for stored, predicted in both if stored or predicted)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` counts our losses: an ingester acknowledged the reading, and no broker confirmed a prediction.

    The broker's own: readings acknowledged to the device and never acknowledged by us, with nothing of them left in
    the broker (`not_handed_on`); predictions acknowledged to us and never delivered (`not_passed_on`).
    """

    readings: int
    lost: tuple[int, ...]
    lost_by_broker: int
    not_handed_on: tuple[int, ...]
    not_passed_on: tuple[int, ...]
    repeated: int
