"""/v1/ledger: what happened to each received reading, and what was lost before Zelador received it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.document.answers import answer
from admin.services import Held
from zelador import heartbeat
from zelador.ledger import Counts, LedgerSnapshot

router = APIRouter(route_class=Route, prefix="/v1/ledger", tags=["ledger"])

EXAMPLE = {
    "received": 10_007,
    "accepted": 10_000,
    "quarantined": 4,
    "repeated": 3,
    "classified": 9_990,
    "waiting": 10,
    "set_aside": 0,
    "unaccounted": 0,
    "lag_s": 0.012,
    "outside": {"missing": 2, "devices": {"press-07": 2}, "broker_dropped": 0, "sessions_lost": 0},
    "quarantine": {"kept": 4, "kept_bytes": 812, "discarded": 0},
    "buffer": {"waiting_bytes": 1_410, "devices": 12, "devices_forgotten": 0},
}


class Outside(TypedDict):
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


class Fill(TypedDict):
    """The size of the quarantine."""

    kept: Annotated[int, Field(description="Messages in quarantine now.")]
    kept_bytes: Annotated[int, Field(description="Total size of their topics, reasons and payloads, in bytes.")]
    discarded: Annotated[
        int, Field(description="Messages discarded so far, by hand or because the quarantine was full.")
    ]


class BufferSize(TypedDict):
    """The size of the buffer."""

    waiting_bytes: Annotated[int, Field(description="Size of the waiting readings and their requests, in bytes.")]
    devices: Annotated[int, Field(description="Devices that are remembered.")]
    devices_forgotten: Annotated[
        int, Field(description="Devices forgotten so far because there were too many, the longest silent first.")
    ]


class Ledger(Counts):
    """The counts of all received readings, by what happened to them."""

    lag_s: Annotated[float, Field(description="Age of the oldest waiting reading, in seconds; 0 if none waits.")]
    outside: Annotated[Outside, Field(description="Losses before Zelador received the readings; not in the ledger.")]
    quarantine: Annotated[Fill, Field(description="The size of the quarantine, and how much was discarded.")]
    buffer: Annotated[BufferSize, Field(description="The size of the waiting readings, and the number of devices.")]


@router.get(
    "",
    summary="Get the ledger: counts of readings now, and losses before Zelador received them",
    description="received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside. "
    "`unaccounted` is the difference between the two sides: 0 unless something was lost or counted twice. "
    "`lag_s` is the age of the oldest waiting reading. `outside` is not part of the ledger. It counts the sequence "
    "numbers (`seq`) that devices used but that never arrived, the messages that the broker says it dropped for "
    "any client since it started (null if the broker does not report this), and the sessions of an ingester that "
    "the broker lost.",
    responses=answer(200, "The ledger.", EXAMPLE),
    **needs("viewer"),
)
def get_ledger(services: Held) -> Ledger:
    snapshot: LedgerSnapshot = services.ledger.standing()
    return {
        **snapshot.ledger.flat(),
        "lag_s": snapshot.lag_s,
        "outside": {
            "missing": snapshot.missing,
            "devices": services.ledger.missing_devices() if snapshot.missing else {},
            "broker_dropped": heartbeat.broker_dropped(heartbeat.workers(services.redis, services.prefix)),
            "sessions_lost": services.ledger.lost_sessions().count,
        },
        "quarantine": {
            "kept": snapshot.kept,
            "kept_bytes": snapshot.kept_bytes,
            "discarded": snapshot.discarded,
        },
        "buffer": {
            "waiting_bytes": snapshot.waiting_bytes,
            "devices": snapshot.devices,
            "devices_forgotten": snapshot.devices_forgotten,
        },
    }
