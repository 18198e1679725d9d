"""/v1/ledger: every reading that was received, and what became of it."""

from __future__ import annotations

from fastapi import APIRouter, Request

from registry.api.problems import responses

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
}


@router.get(
    "",
    summary="The ledger at this instant, in readings",
    description="received = accepted + quarantined + repeated; accepted = classified + waiting + set_aside. "
    "`unaccounted` is how far these are from closing: 0 unless something was lost or counted twice.",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(401, 503)},
)
def get_ledger(request: Request) -> dict[str, int]:
    found: dict[str, int] = request.app.state.services.ledger.read().flat()
    return found
