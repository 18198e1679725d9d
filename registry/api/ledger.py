"""/v1/ledger: every reading that was received, and what became of it; beside it what was lost before us."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from typing_extensions import TypedDict

from registry.api.answers import answer
from registry.api.roles import needs
from zelador import health
from zelador.ledger import Counts, Standing

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])

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
}


class Outside(TypedDict):
    """What was lost before us."""

    missing: Annotated[int, Field(description="Numbers that devices used and that never came.")]
    devices: Annotated[dict[str, int], Field(description="How many of a device, by its id; the 20 with the most.")]
    broker_dropped: Annotated[
        int | None, Field(description="Messages that the broker dropped since its start; null where it does not say.")
    ]
    sessions_lost: Annotated[
        int,
        Field(
            description="Sessions of an ingester that the broker forgot, or that somebody took over; each may have "
            "held readings that were acknowledged to devices: how many, nobody can say."
        ),
    ]


class Fill(TypedDict):
    """How much is in quarantine."""

    kept: Annotated[int, Field(description="Entries now.")]
    kept_bytes: Annotated[int, Field(description="Their payloads' bytes.")]
    discarded: Annotated[int, Field(description="Entries that it lost so far, to its bounds or by hand.")]


class Ledger(Counts):
    """Every reading that was received, and what became of it."""

    lag_s: Annotated[float, Field(description="Age of the oldest reading that waits, seconds; 0 if none does.")]
    outside: Annotated[Outside, Field(description="No part of the ledger: what was lost before us.")]
    quarantine: Annotated[Fill, Field(description="What it holds now, and what it lost.")]


@router.get(
    "",
    summary="The ledger at this instant, in readings, and what was lost before us",
    description="received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside. "
    "`unaccounted` is how far these are from closing: 0 unless something was lost or counted twice. "
    "`lag_s` is the age of the oldest reading that waits. `outside` is no part of it: numbers that devices with a "
    "`seq` used and that never came, and what the broker says that it dropped since its start, for any of its "
    "clients (null where it does not say), and how many sessions of an ingester the broker lost.",
    responses=answer(200, "The ledger.", EXAMPLE),
    **needs("viewer"),
)
def get_ledger(request: Request) -> Ledger:
    services = request.app.state.services
    standing: Standing = services.ledger.standing()
    return {
        **standing.ledger.flat(),
        "lag_s": standing.lag_s,
        "outside": {
            "missing": standing.missing,
            "devices": services.ledger.missing_devices() if standing.missing else {},
            "broker_dropped": health.broker_dropped(health.workers(services.redis, services.settings.redis.prefix)),
            "sessions_lost": services.ledger.lost_sessions().count,
        },
        "quarantine": {
            "kept": standing.kept,
            "kept_bytes": standing.kept_bytes,
            "discarded": standing.discarded,
        },
    }
