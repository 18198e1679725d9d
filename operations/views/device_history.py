"""The history of one device: its readings in a period, summed up, with its labels and states.

What is read is bounded in time. If not everything could be read, `notes` says what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from archive.dataset.history.buckets import Bucket, Course
from operations.views.device_events import DeviceEventView
from zelador.messages import iso

MAX_BUCKETS = 1_000
FROM_READINGS = ("ok", "suspect", "alarm", "acknowledged")  # states of a device that has sent something
NoteKind = Literal["sampled", "late", "buffer", "damaged", "archive", "slow", "labels"]


class FeatureBucket(TypedDict):
    """The values of a feature in a bucket."""

    min: Annotated[float, Field(description="The least value.")]
    mean: Annotated[float, Field(description="The mean of the values.")]
    max: Annotated[float, Field(description="The greatest value.")]


class BucketView(TypedDict):
    """The readings of a device in a part of the period."""

    at: Annotated[str, Field(description="When the part begins, in measured time; ISO 8601, UTC.")]
    readings: Annotated[int, Field(description="Number of readings that were read.")]
    values: Annotated[
        dict[str, FeatureBucket], Field(description="Values by feature, in its unit; a feature without any is absent.")
    ]


PeriodLabelView = TypedDict(
    "PeriodLabelView",
    {
        "from": Annotated[str, Field(description="Start of the stretch, ISO 8601, UTC.")],
        "to": Annotated[str, Field(description="Its end, exclusive.")],
        "label": Annotated[str, Field(description="The label that the readings of the stretch have.")],
        "given": Annotated[
            bool, Field(description="True for a label of a period, given afterwards; false if the device sent it.")
        ],
    },
)  # fmt: skip
PeriodLabelView.__doc__ = "A stretch of the period in which the readings have a label."

PeriodStateView = TypedDict(
    "PeriodStateView",
    {
        "from": Annotated[str, Field(description="Start of the stretch, ISO 8601, UTC.")],
        "to": Annotated[str, Field(description="Its end, exclusive.")],
        "state": Annotated[str, Field(description="The state of the device.")],
    },
)  # fmt: skip
PeriodStateView.__doc__ = "A stretch of the period in which the device was in one state."


class UsualView(TypedDict):
    """What is usual for a feature of the device."""

    low: Annotated[float, Field(description="99 % of its values are above it.")]
    high: Annotated[float, Field(description="99 % of its values are below it.")]


@dataclass(frozen=True, slots=True)
class LastReading:
    """When a reading was measured (ISO 8601, UTC), and its values by feature."""

    measured_at: str
    values: Mapping[str, float]


class HistoryNote(TypedDict):
    """What the history lacks."""

    kind: Annotated[NoteKind, Field(description="Kind of the note.")]
    sentence: Annotated[str, Field(description="What is missing, and why.")]
    share: Annotated[float | None, Field(description="sampled: the share of the archived time that was read.")]


HistoryView = TypedDict(
    "HistoryView",
    {
        "device_id": Annotated[str, Field(description="The device's id, as in the topic.")],
        "from": Annotated[str, Field(description="Start of the period, in measured time; ISO 8601, UTC.")],
        "to": Annotated[str, Field(description="End of the period, exclusive.")],
        "step_ms": Annotated[int, Field(description="Length of a part of the period, in ms.")],
        "features": Annotated[list[str], Field(description="The plant's features, in their order.")],
        "readings": Annotated[int, Field(description="Number of readings that were read.")],
        "buckets": Annotated[list[BucketView], Field(description="The parts with readings, in order.")],
        "labels": Annotated[
            list[PeriodLabelView], Field(description="Stretches with a label; of two that overlap, the last counts.")
        ],
        "states": Annotated[
            list[PeriodStateView], Field(
                description="The states of the device, as far as its events are kept, from its first reading."
            )
        ],
        "usual": Annotated[
            dict[str, UsualView],
            Field(
                description="The middle 98 % of the device's values in the last 7 days, from a sample of the archive; "
                "empty while less than a day of it is archived."
            ),
        ],
        "notes": Annotated[list[HistoryNote], Field(description="What is missing; empty if everything was read.")],
    },
)  # fmt: skip
HistoryView.__doc__ = "The history of a device in a period."


def buckets_of(course: Course) -> list[BucketView]:
    return [
        {
            "at": iso(begin),
            "readings": bucket.readings,
            "values": {
                name: {"min": figures.low, "mean": figures.mean, "max": figures.high}
                for name, figures in zip(course.features, bucket.figures, strict=True)
                if figures is not None
            },
        }
        for begin, bucket in course.buckets()
    ]


def labels_in(course: Course, given: Iterable[tuple[int, int | None, str]]) -> list[PeriodLabelView]:
    """The labels that the device sent, then those of periods, which count instead. Pure.

    `given` has start, end (None: until further notice) and label of each stretch.
    """
    grid = course.grid
    found = [_label_view(begin, min(end, grid.end), label, False) for begin, end, label in _sent(course)]
    for begin, until, label in given:
        first, last = max(begin, grid.begin), grid.end if until is None else min(until, grid.end)
        if first < last:
            found.append(_label_view(first, last, label, True))
    return found


def _sent(course: Course) -> Iterator[tuple[int, int, str]]:
    """Yields stretches of buckets in which the device sent the same label. A bucket without readings ends none."""
    open_: tuple[int, int, str] | None = None
    for begin, bucket in course.buckets():
        label = _label_of(bucket)
        end = begin + course.grid.step
        if open_ is not None and open_[2] == label:
            open_ = open_[0], end, label
            continue
        if open_ is not None:
            yield open_
        open_ = None if label is None else (begin, end, label)
    if open_ is not None:
        yield open_


def _label_of(bucket: Bucket) -> str | None:
    return bucket.label if bucket.labeled else None


def _label_view(begin: int, end: int, label: str, given: bool) -> PeriodLabelView:
    return {"from": iso(begin), "to": iso(end), "label": label, "given": given}


def states_in(
    events: Sequence[DeviceEventView], now: str, begin: str, end: str, heard: str | None
) -> list[PeriodStateView]:
    """The states of a device in a period. `events` are newest first; `now` is its state after the newest. Pure.

    `heard` is when its first reading in the period was measured. Before that it has no state that comes from readings,
    unless an event says so: it may not have existed. An event without readings says that it did.
    """
    ordered = [*reversed(events)]
    ordered.sort(key=lambda event: event.at)  # an act may be recorded after what happened later
    earlier = [event.state for event in ordered if event.at <= begin]
    first = earlier[-1] if earlier else ordered[0].before if ordered else now
    inside = [(event.at, event.state) for event in ordered if begin < event.at < end]
    if not earlier and first in FROM_READINGS:
        if heard is not None:
            begin = max(begin, min([heard, *(at for at, _ in inside[:1])]))
        elif not inside:
            return []
    return [
        {"from": one, "to": other, "state": state}
        for (one, state), (other, _) in pairwise([(begin, first), *inside, (end, "")])
        if state and one < other
    ]


def note(kind: NoteKind, why: str = "", share: float | None = None) -> HistoryNote:
    sentences: Mapping[NoteKind, str] = {
        "sampled": f"there was time to read {0 if share is None else share:.0%} of the archived period, spread "
        "evenly; choose a shorter period to see all",
        "late": "readings that arrived more than a day after they were measured may be missing",
        "buffer": "there was no time to read all readings in the buffer; the oldest are missing",
        "damaged": f"some readings are missing: {why}",
        "archive": f"the archive cannot be read, so only readings in the buffer are shown: {why}",
        "slow": "the archive is still being read, so only readings in the buffer are shown; ask again",
        "labels": "there are too many labeled stretches to show all; choose a shorter period",
    }
    return {"kind": kind, "sentence": sentences[kind], "share": share}
