"""Which label a device had when: of the labels that cover a moment, the one that was added last. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from zelador.labels.label import Label


class Timeline:
    """The labels of one device, resolved: each moment has one label, or none."""

    __slots__ = ("_labels", "_starts")

    def __init__(self, labels: Sequence[Label]) -> None:
        """`labels` are in the order in which they were added."""
        self._starts: list[int] = []  # a stretch begins here, and ends before the next
        self._labels: list[str | None] = []
        bounds = sorted({each.begin for each in labels} | {each.end for each in labels if each.end is not None})
        begins = sorted(range(len(labels)), key=lambda place: labels[place].begin)
        covering: list[int] = []  # a heap of -place: the label added last is on top
        entered = 0
        for moment in bounds:
            while entered < len(begins) and labels[begins[entered]].begin <= moment:
                heapq.heappush(covering, -begins[entered])
                entered += 1
            while covering and not labels[-covering[0]].covers(moment):
                heapq.heappop(covering)  # it has ended, and no longer counts
            label = labels[-covering[0]].label if covering else None
            if not self._labels or self._labels[-1] != label:
                self._starts.append(moment)
                self._labels.append(label)

    def at(self, moment: int) -> str | None:
        """The label at a moment (ms since 1970 UTC); None if no label covers it."""
        place = bisect_right(self._starts, moment) - 1
        return self._labels[place] if place >= 0 else None

    def stretches(self) -> Iterator[tuple[int, int | None, str]]:
        """Start, end (None: until further notice) and label of each stretch that has one, in order."""
        for place, (begin, label) in enumerate(zip(self._starts, self._labels, strict=True)):
            if label is not None:
                yield begin, self._starts[place + 1] if place + 1 < len(self._starts) else None, label

    def labels_in(self, begin: int, end: int | None) -> list[str]:
        """The different labels that the device has in a period, in order."""
        found: dict[str, None] = {}
        for place in range(max(0, bisect_right(self._starts, begin) - 1), len(self._starts)):
            if end is not None and self._starts[place] >= end:
                break
            after = self._starts[place + 1] if place + 1 < len(self._starts) else None
            label = self._labels[place]
            if label is not None and (after is None or after > begin):
                found[label] = None
        return list(found)
