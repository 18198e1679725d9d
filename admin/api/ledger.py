"""/v1/ledger: what happened to each received reading, and what was lost before Zelador received it."""

from __future__ import annotations

from fastapi import APIRouter

from admin.access.roles import Route, needs
from admin.document.answers import answer
from admin.services import Held
from operations.views.ledger import LedgerView, ledger_view

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
    "archived": 9_400,
    "archive_waiting": 600,
    "archive_missed": 0,
    "before_archive": 0,
    "archive_lag_s": 4.2,
    "lag_s": 0.012,
    "today": {
        "since": "2026-11-24T03:00:00.000Z",
        "whole": True,
        "received": 1_007,
        "accepted": 1_000,
        "quarantined": 4,
        "repeated": 3,
        "classified": 995,
        "waiting": 5,
        "set_aside": 0,
        "unaccounted": 0,
    },
    "outside": {"missing": 2, "devices": {"press-07": 2}, "broker_dropped": 0, "sessions_lost": 0},
    "quarantine": {"kept": 4, "kept_bytes": 812, "discarded": 0},
    "buffer": {"waiting_bytes": 1_410, "devices": 12, "devices_forgotten": 0},
}


@router.get(
    "",
    summary="Get the ledger: counts of readings now, and losses before Zelador received them",
    description="received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside. "
    "`unaccounted` is the difference between the two sides: 0 unless something was lost or counted twice. "
    "`lag_s` is the age of the oldest waiting reading. `outside` is not part of the ledger. It counts the sequence "
    "numbers (`seq`) that devices used but that never arrived, the messages that the broker says it dropped for "
    "any client since it started (null if the broker does not report this), and the sessions of an ingester that "
    "the broker lost. `today` is what changed since midnight in the plant's time zone (`ZELADOR_TIME_ZONE`), to within "
    "seconds; null if it is not known.",
    responses=answer(200, "The ledger.", EXAMPLE),
    **needs("viewer"),
)
def get_ledger(services: Held) -> LedgerView:
    return ledger_view(services.ledger, services.ledger_marks, services.zone, services.redis, services.prefix)
