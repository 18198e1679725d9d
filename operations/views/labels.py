"""The labels of periods, with the number of readings that each touches."""

from __future__ import annotations

import logging
import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Protocol

import redis
from pydantic import Field
from typing_extensions import TypedDict

from operations.acts.labels import Imported
from zelador.buffer import history
from zelador.buffer.entry import decode_fields, order_of
from zelador.clock import now_ms
from zelador.errors import NotFound, ZeladorError
from zelador.labels import Label, Labels, Snapshot, Source, Undone
from zelador.labels.book import LabelBook
from zelador.labels.rules import Finding, Kind, findings
from zelador.messages import iso

log = logging.getLogger(__name__)

REST = 5.0  # a changed buffer is counted again after this many times the duration of the last count
ARRIVING_MS = 60_000  # a period that ended this long ago has its readings, except late ones
COUNTED_MS = 7 * 86_400_000  # the longest period that is counted before it is labeled
LISTED = 200  # labels and faults listed in the answer to an import

LabelView = TypedDict(
    "LabelView",
    {
        "id": Annotated[str, Field(description="The label's id.")],
        "device": Annotated[str, Field(description="The device's id, as in the topic.")],
        "from": Annotated[str, Field(description="Start of the period, in measured time; ISO 8601, UTC.")],
        "to": Annotated[
            str | None, Field(description="End of the period, exclusive; null until further notice.")
        ],
        "label": Annotated[str, Field(description="The label of the readings in the period.")],
        "note": Annotated[str, Field(description="A person's note on the label.")],
        "by": Annotated[str, Field(description="Who added it: a key, a user, or the device.")],
        "at": Annotated[str, Field(description="Time when it was added; ISO 8601, UTC. The newest label counts.")],
        "source": Annotated[Source, Field(description="Origin of the label; mqtt: the device itself.")],
        "readings": Annotated[
            int,
            Field(
                description="Readings of the device in the period, in the archive and the buffer; 0 once it is undone."
            ),
        ],
        "undone": Annotated[bool, Field(description="True if it no longer counts.")],
        "undone_by": Annotated[str | None, Field(description="Who undid it.")],
        "undone_at": Annotated[str | None, Field(description="When it was undone; ISO 8601, UTC.")],
        "again": Annotated[
            str | None, Field(description="Of an undone label: id of the same label, added again, that counts.")
        ],
    },
)  # fmt: skip
LabelView.__doc__ = "A label of a period of a device."


class FindingView(TypedDict):
    """What is odd about a label that was accepted."""

    kind: Annotated[Kind, Field(description="Kind of the oddity.")]
    sentence: Annotated[str, Field(description="What was found.")]
    advice: Annotated[str, Field(description="What to do about it.")]
    line: Annotated[int | None, Field(description="The line of the table, for an import.")]


class FaultView(TypedDict):
    """A row of a table that cannot be a label."""

    line: Annotated[int, Field(description="Line in the table.")]
    reason: Annotated[str, Field(description="Why it cannot be one.")]


class ImportView(TypedDict):
    """What an import did, or a preview of it."""

    preview: Annotated[bool, Field(description="True if nothing was changed.")]
    added: Annotated[int, Field(description="Number of labels that were added; in a preview, that would be added.")]
    known: Annotated[int, Field(description="Rows that are in the list already.")]
    readings: Annotated[int, Field(description="Readings that the added labels touch.")]
    classes: Annotated[dict[str, int], Field(description="Added labels by their text.")]
    columns: Annotated[dict[str, str], Field(description="The role of each column that was read.")]
    labels: Annotated[list[LabelView], Field(description=f"The first {LISTED} added labels.")]
    faults: Annotated[list[FaultView], Field(description=f"The first {LISTED} rows that cannot be labels.")]
    refused: Annotated[int, Field(description="Number of rows that cannot be labels.")]
    findings: Annotated[list[FindingView], Field(description="Anything odd about the labels.")]
    notes: Annotated[list[str], Field(description="How the table was read.")]


class ArchiveCounts(Protocol):
    def of(self, labels: Sequence[Label], below: tuple[int, int] | None) -> Mapping[str, int]:
        """The number of archived readings that each label touches, in entries before `below` (None: in all)."""


class ReadingTimes:
    """When the readings in the buffer were measured, by device. May be used from several threads.

    A buffer that changes is counted again after `rest` times the time that counting took.
    """

    def __init__(
        self, client: redis.Redis, prefix: str, archived: ArchiveCounts | None = None, rest: float = REST
    ) -> None:
        self._client = client
        self._archived = archived
        self._rest = rest
        self._prefix = prefix
        self._lock = Lock()
        self._times: dict[str, array[int]] = {}
        self._of: tuple[str, str] | None = None  # the first and last entry that were counted
        self._again_at = 0.0

    def touched(self, labels: Iterable[Label], whole: bool = False) -> dict[str, int]:
        """The number of readings that each label's period contains, by the label's id. Raises redis.RedisError.

        Without the archive, if it cannot be read; with `whole`, raises ZeladorError then.
        """
        wanted = list(labels)
        if not wanted:
            return {}
        with self._lock:
            self._count()
            times, begins = self._times, self._of[0] if self._of else ""
        none: array[int] = array("q")
        found: dict[str, int] = {}
        for label in wanted:
            of_device = times.get(label.device, none)
            end = len(of_device) if label.end is None else bisect_left(of_device, label.end)
            found[label.id] = end - bisect_left(of_device, label.begin)
        for id_, count in self._in_archive(wanted, begins, whole).items():
            found[id_] += count
        return found

    def _in_archive(self, labels: Sequence[Label], begins: str, whole: bool) -> Mapping[str, int]:
        """The readings that each label touches among those that have left the buffer, which begins with this entry."""
        if self._archived is None:
            return {}
        try:
            return self._archived.of(labels, order_of(begins) if begins else None)
        except ZeladorError as error:
            if whole:
                raise
            log.warning("the readings in the archive are not counted: %s", error)
            return {}

    def _count(self) -> None:
        """Counts the buffer if it has changed. Counting takes at most a sixth of the time."""
        of = history.bounds(self._client, self._prefix) or ("", "")
        begun = time.monotonic()
        if of == self._of or begun < self._again_at:
            return
        times: dict[str, array[int]] = {}
        for page in history.pages(self._client, self._prefix, last=of[1]) if of[1] else ():
            for _, fields in page:
                for arrival in decode_fields(fields).arrivals or ():
                    of_device = times.setdefault(arrival.device_id, array("q"))
                    of_device.extend([reading.measured_at for reading in arrival.readings])
        self._times = {device: array("q", sorted(each)) for device, each in times.items()}
        self._of = of
        now = time.monotonic()
        self._again_at = now + self._rest * (now - begun)


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """A filter for labels. Empty fields match all; `text` is searched for in device and note."""

    device: str | None = None
    label: str | None = None
    source: Source | None = None
    by: str | None = None
    text: str = ""
    added_at: int | None = None  # ms since 1970 UTC; all labels of one import share it
    undone: bool = False  # also those that were undone

    def matches(self, label: Label) -> bool:
        return (
            (self.device is None or label.device == self.device)
            and (self.label is None or label.label == self.label)
            and (self.source is None or label.source == self.source)
            and (self.by is None or label.by == self.by)
            and (self.added_at is None or label.at == self.added_at)
            and (not self.text or self.text.casefold() in f"{label.device}\n{label.note}".casefold())
        )


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """The whole list in figures. `people` and `sources` are those of all labels, also of undone ones."""

    active: int
    undone: int
    devices: int  # with a label that counts
    classes: tuple[tuple[str, int], ...]  # labels that count, the most frequent first
    sources: tuple[Source, ...]
    people: tuple[str, ...]


ALL = LabelFilter()


class LabelReader:
    """Reads the list. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, labels: Labels, times: ReadingTimes) -> None:
        self._labels = labels
        self._times = times

    def page(self, limit: int | None = None, offset: int = 0, wanted: LabelFilter = ALL) -> tuple[list[LabelView], int]:
        """A page, the newest first, and the number of all that match."""
        found = self._labels.snapshot()
        matching = [
            each
            for each in reversed(found.labels)
            if (wanted.undone or each.id not in found.undone) and wanted.matches(each)
        ]
        return self._views(matching[offset : None if limit is None else offset + limit], found), len(matching)

    def summary(self) -> LabelSummary:
        found = self._labels.snapshot()
        active = list(found.active())
        return LabelSummary(
            len(active),
            len(found.undone),
            len({each.device for each in active}),
            tuple(Counter(each.label for each in active).most_common()),
            tuple(dict.fromkeys(each.source for each in found.labels)),
            tuple(sorted({each.by for each in found.labels})),
        )

    def one(self, label: str) -> LabelView:
        """One label of the list. Raises NotFound."""
        found = self._labels.snapshot()
        one = next((each for each in found.labels if each.id == label), None)
        if one is None:
            raise NotFound(f"there is no label {label[:80]!r}")
        return self._views([one], found)[0]

    def views(self, labels: Sequence[Label]) -> list[LabelView]:
        """Labels that count, or are not in the list yet."""
        return self._views(labels, Snapshot((), {}))

    def _views(self, labels: Sequence[Label], listed: Snapshot) -> list[LabelView]:
        undone = listed.undone
        touched = self._times.touched(each for each in labels if each.id not in undone)
        gone = {each.says for each in labels if each.id in undone}
        again = {each.says: each.id for each in listed.active() if each.says in gone} if gone else {}
        return [_view(each, touched.get(each.id, 0), undone.get(each.id), again.get(each.says)) for each in labels]

    def in_period(self, device: str, begin: int, end: int) -> int | None:
        """The number of a device's readings in a period (ms since 1970 UTC).

        None if it cannot be known: the archive cannot be read, or the period ends so late that readings still arrive.
        None, too, for a period so long that counting would take long.
        """
        if end > now_ms() - ARRIVING_MS or end - begin > COUNTED_MS:
            return None
        try:
            return self._times.touched([Label("", device, begin, end, "")], whole=True)[""]
        except ZeladorError:
            return None

    def imported(self, done: Imported) -> ImportView:
        touched = self._times.touched(done.labels)
        classes: dict[str, int] = {}
        for label in done.labels:
            classes[label.label] = classes.get(label.label, 0) + 1
        return {
            "preview": done.preview,
            "added": len(done.labels),
            "known": done.known,
            "readings": sum(touched.values()),
            "classes": classes,
            "columns": dict(done.columns),
            "labels": [_view(each, touched[each.id], None) for each in done.labels[:LISTED]],
            "faults": [{"line": line, "reason": why} for line, why in done.faults[:LISTED]],
            "refused": len(done.faults),
            "findings": findings_shown(done.findings),
            "notes": list(done.notes),
        }


def odd(book: LabelBook, label: str) -> list[Finding]:
    """What is odd about a label of the list. Raises NotFound."""
    listed = book.labels.snapshot()
    one = next((each for each in listed.labels if each.id == label), None)
    if one is None:
        raise NotFound(f"there is no label {label[:80]!r}")
    if label in listed.undone:
        return []
    others = [each for each in listed.active() if each.id != label]
    return findings([(one, None)], others, book.known_devices([one.device]), now_ms())


def findings_shown(found: Iterable[Finding]) -> list[FindingView]:
    return [{"kind": each.kind, "sentence": each.sentence, "advice": each.advice, "line": each.line} for each in found]


def _view(label: Label, readings: int, undone: Undone | None, again: str | None = None) -> LabelView:
    return {
        "id": label.id,
        "device": label.device,
        "from": iso(label.begin),
        "to": None if label.end is None else iso(label.end),
        "label": label.label,
        "note": label.note,
        "by": label.by,
        "at": iso(label.at),
        "source": label.source,
        "readings": readings,
        "undone": undone is not None,
        "undone_by": None if undone is None else undone.by,
        "undone_at": None if undone is None else iso(undone.at),
        "again": None if undone is None else again,
    }
