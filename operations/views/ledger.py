"""The ledger, with the losses outside of it and the size of what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated

import redis
from pydantic import Field

from zelador import heartbeat
from zelador.ledger import LedgerReader
from zelador.ledger_marks import LedgerMarks, Today
from zelador.messages import iso


@dataclass(frozen=True, slots=True)
class OutsideView:
    """Losses before Zelador received the readings."""

    missing: Annotated[int, Field(description="Sequence numbers that never arrived, of all devices.")]
    devices: Annotated[dict[str, int], Field(description="Missing numbers by device id; the 20 devices with the most.")]
    broker_dropped: Annotated[
        int | None,
        Field(description="Messages that the broker dropped since it started; null if it does not report this."),
    ]
    sessions_lost: Annotated[
        int,
        Field(
            description="Sessions of an ingester that the broker forgot, or that another client took over. Each may "
            "have held readings that were acknowledged to devices; their number is not known."
        ),
    ]


@dataclass(frozen=True, slots=True)
class QuarantineSizeView:
    """The size of the quarantine."""

    kept: Annotated[int, Field(description="Messages in quarantine now.")]
    kept_bytes: Annotated[int, Field(description="Total size of their topics, reasons and payloads, in bytes.")]
    discarded: Annotated[
        int, Field(description="Messages discarded so far, by hand or because the quarantine was full.")
    ]


@dataclass(frozen=True, slots=True)
class BufferSizeView:
    """The size of the buffer."""

    waiting_bytes: Annotated[int, Field(description="Size of the waiting readings and their requests, in bytes.")]
    devices: Annotated[int, Field(description="Devices that are remembered.")]
    devices_forgotten: Annotated[
        int, Field(description="Devices forgotten so far because there were too many, the longest silent first.")
    ]


@dataclass(frozen=True, slots=True)
class TodayView:
    """How much each count of the ledger has changed since midnight."""

    since: Annotated[
        str, Field(description="Since when; midnight in the plant's time zone, or later if `whole` is false.")
    ]
    whole: Annotated[bool, Field(description="False if it is not known what was counted at midnight.")]
    received: Annotated[int, Field(description="Readings received since then.")]
    accepted: Annotated[int, Field(description="Readings stored for classification since then.")]
    quarantined: Annotated[
        int, Field(description="Readings that could not be used; below 0 if earlier ones were replayed.")
    ]
    repeated: Annotated[int, Field(description="Repeats since then.")]
    classified: Annotated[int, Field(description="Readings with a confirmed prediction since then.")]
    waiting: Annotated[int, Field(description="By how much the number of waiting readings changed; below 0 if fewer.")]
    set_aside: Annotated[
        int, Field(description="Readings that could not be classified; below 0 if earlier ones were replayed.")
    ]
    unaccounted: Annotated[int, Field(description="Difference between the two sides; 0 unless something is wrong.")]


@dataclass(frozen=True, slots=True)
class LedgerView:
    """The counts of all received readings, by what happened to them.

    received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside; with an archive also
    accepted = archived + archive_waiting + archive_missed + before_archive.
    """

    received: Annotated[int, Field(description="Readings received.")]
    accepted: Annotated[int, Field(description="Readings stored for classification.")]
    quarantined: Annotated[int, Field(description="Readings that could not be used.")]
    repeated: Annotated[int, Field(description="Repeats: readings with the id, time and values of an earlier one.")]
    classified: Annotated[int, Field(description="Readings with a confirmed prediction.")]
    waiting: Annotated[int, Field(description="Readings accepted and not settled yet.")]
    set_aside: Annotated[int, Field(description="Readings that could not be classified.")]
    unaccounted: Annotated[int, Field(description="Difference between the two sides; 0 unless something is wrong.")]
    archived: Annotated[
        int | None, Field(description="Readings written to the archive; null if no archive is registered.")
    ]
    archive_waiting: Annotated[int | None, Field(description="Readings that wait for the archive; null without one.")]
    archive_missed: Annotated[
        int | None,
        Field(
            description="Readings that left Redis before the archive took them, or that it could not read; null "
            "without an archive."
        ),
    ]
    before_archive: Annotated[
        int | None,
        Field(description="Accepted readings that had left Redis before the archive began; null without one."),
    ]
    archive_lag_s: Annotated[
        float, Field(description="Age of the oldest reading that waits for the archive, in seconds; 0 if none waits.")
    ]
    lag_s: Annotated[float, Field(description="Age of the oldest waiting reading, in seconds; 0 if none waits.")]
    today: Annotated[
        TodayView | None, Field(description="What changed since midnight; null if nothing is known of it.")
    ]
    outside: Annotated[
        OutsideView, Field(description="Losses before Zelador received the readings; not in the ledger.")
    ]
    quarantine: Annotated[
        QuarantineSizeView, Field(description="The size of the quarantine, and how much was discarded.")
    ]
    buffer: Annotated[BufferSizeView, Field(description="The size of the waiting readings, and the number of devices.")]


def ledger_view(reader: LedgerReader, marks: LedgerMarks, zone: tzinfo, client: redis.Redis, prefix: str) -> LedgerView:
    """The ledger now, and what changed since midnight in `zone`. Raises redis.RedisError."""
    snapshot = reader.snapshot()
    today = marks.today(snapshot, zone)
    archive = snapshot.ledger.archive
    return LedgerView(
        **snapshot.ledger.flat(),
        archived=archive.archived if archive else None,
        archive_waiting=archive.waiting if archive else None,
        archive_missed=archive.missed if archive else None,
        before_archive=archive.before if archive else None,
        archive_lag_s=snapshot.archive_lag_s,
        lag_s=snapshot.lag_s,
        today=None if today is None else _today(today),
        outside=OutsideView(
            snapshot.missing,
            reader.missing_devices() if snapshot.missing else {},
            heartbeat.broker_dropped(heartbeat.workers(client, prefix)),
            reader.lost_sessions().count,
        ),
        quarantine=QuarantineSizeView(snapshot.kept, snapshot.kept_bytes, snapshot.discarded),
        buffer=BufferSizeView(snapshot.waiting_bytes, snapshot.devices, snapshot.devices_forgotten),
    )


def _today(today: Today) -> TodayView:
    return TodayView(iso(today.since), today.is_whole, **today.ledger.flat())
