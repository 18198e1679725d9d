"""/v1/quarantine: what was refused or set aside: list, show, replay after the cause is mended, discard."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.document.answers import BINARY, Next, answer
from admin.document.problems import responses
from admin.services import Held
from operations.acts import quarantine as acts
from zelador import quarantine as kept
from zelador.quarantine import Kind, Outcome, QuarantineEntry, described

router = APIRouter(route_class=Route, prefix="/v1/quarantine", tags=["quarantine"])

SHOWN = 100  # replays that are told one by one
Id = Annotated[str, Path(description="The entry's id.", examples=["1795514400004-0"])]

REPLAY = {"id": "1795514400004-0", "outcome": "accepted", "readings": 1, "reason": None}
EXAMPLE = {
    "id": "1795514400004-0",
    "kind": "refused",
    "topic": "sensors/press-07/reading",
    "reason": "temperature is 5000 °C, outside -100 to 1000",
    "count": 1,
    "payload": '{"lux": 1, "temperature": 5000, "vibration": 0.1}',
    "payload_base64": "eyJsdXgiOiAxLCAidGVtcGVyYXR1cmUiOiA1MDAwLCAidmlicmF0aW9uIjogMC4xfQ==",
    "whole": True,
    "length": 49,
    "sha256": "5f0e6c0d0a2f4b0f8e0c5c6f1f7c2b7f0c9f6c0d0a2f4b0f8e0c5c6f1f7c2b7f",
    "received_at": "2026-11-24T10:00:00.004Z",
    "kept_at": "2026-11-24T10:00:00.006Z",
}
PAGE = {"entries": [EXAMPLE], "next": None, "kept": 1, "kept_bytes": 182, "discarded": 0}
REPLAYED = {"replayed": {"accepted": 3, "still_refused": 1}, "left": [{"id": "1795514400004-0", "reason": "not JSON"}]}


class QuarantinePage(TypedDict):
    """A page of what is in quarantine, and how much that is."""

    entries: Annotated[list[QuarantineEntry], Field(description="The newest first.")]
    next: Next
    kept: Annotated[int, Field(description="Entries in quarantine now.")]
    kept_bytes: Annotated[int, Field(description="Their bytes: topic, reason and payload.")]
    discarded: Annotated[int, Field(description="Entries that it lost so far, to its bounds or by hand.")]


class Replay(TypedDict):
    """What became of an entry that was to be taken in again."""

    id: Annotated[str, Field(description="The entry's.")]
    outcome: Annotated[
        Outcome,
        Field(
            description="accepted; repeated: its id was seen meanwhile; waiting: it had been set aside; "
            "still_refused, not_whole: it stays; gone: it was not there any more."
        ),
    ]
    readings: Annotated[int, Field(description="Readings of it that were taken in, or were repeats.")]
    reason: Annotated[str | None, Field(description="Why it stays; null if it does not.")]


class Left(TypedDict):
    """An entry that stays."""

    id: Annotated[str, Field(description="The entry's.")]
    reason: Annotated[str, Field(description="Why it stays.")]


class Replays(TypedDict):
    """What became of several."""

    replayed: Annotated[dict[Outcome, int], Field(description="Entries, by what became of them.")]
    left: Annotated[list[Left], Field(description=f"The first {SHOWN} that stay.")]


class Discarded(TypedDict):
    """How many were discarded."""

    discarded: Annotated[int, Field(description="Entries that were there and are gone now.")]


class Chosen(BaseModel):
    """Which entries: by their ids, or all."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": ["1795514400004-0"]}, {"all": True}]}
    )

    ids: Annotated[list[str], Field(max_length=500, description="Entries, in this order.")] = []
    all: Annotated[bool, Field(description="All that are there now.")] = False
    kind: Annotated[Kind | None, Field(description="With all: only those refused, or only those set aside.")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Chosen:
        if bool(self.ids) == self.all:
            raise ValueError("name ids, or say all: true")
        return self


@router.get(
    "",
    summary="What is in quarantine, the newest first, each with the beginning of its payload",
    responses=answer(200, "A page of the entries, and how much is in quarantine.", PAGE),
    **needs("viewer"),
)
def list_quarantine(
    services: Held,
    limit: Annotated[int, Query(ge=1, le=500, description="Of a page.")] = 50,
    before: Annotated[str | None, Query(description="`next` of the page before.", max_length=60)] = None,
    kind: Annotated[Kind | None, Query(description="Only those refused, or only those set aside.")] = None,
) -> QuarantinePage:
    page = services.quarantine.page(limit, before, kind)
    standing = services.ledger.standing()
    return {
        "entries": [described(each) for each in page],
        "next": page[-1].id if len(page) == limit else None,
        "kept": standing.kept,
        "kept_bytes": standing.kept_bytes,
        "discarded": standing.discarded,
    }


@router.get(
    "/{entry}",
    summary="One entry, with all of its payload that was kept",
    responses={**answer(200, "The entry.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_entry(entry: Id, services: Held) -> QuarantineEntry:
    _refuse_action(entry)
    return described(services.quarantine.get(entry))


@router.get(
    "/{entry}/payload",
    summary="The payload itself, byte for byte",
    response_class=Response,
    responses={
        200: {"description": "The bytes that came, as far as they were kept.", "content": BINARY},
        **responses(404),
    },
    **needs("viewer"),
)
def download_payload(entry: Id, services: Held) -> Response:
    found = services.quarantine.get(entry)
    name = f'attachment; filename="{found.id}.bin"'
    return Response(found.payload, media_type="application/octet-stream", headers={"Content-Disposition": name})


@router.post(
    "/{entry}/replay",
    summary="Take one in again, by the present settings; it stays where it is if it still cannot be used",
    responses={**answer(200, "What became of it.", REPLAY), **responses(404)},
    **needs("operator"),
)
def replay_entry(entry: Id, services: Held, actor: Acting) -> Replay:
    done = acts.replay(actor, services.quarantine, entry)
    return {"id": done.id, "outcome": done.outcome, "readings": done.readings, "reason": done.reason}


@router.post(
    "/replay",
    summary="Take some or all in again",
    responses={**answer(200, "What became of them.", REPLAYED), **responses(404)},
    **needs("operator"),
)
def replay_entries(chosen: Chosen, services: Held, actor: Acting) -> Replays:
    left: list[Left] = []

    def note(done: kept.Replay) -> None:
        if done.reason is not None and len(left) < SHOWN:
            left.append({"id": done.id, "reason": done.reason})

    entries = None if chosen.all else chosen.ids
    outcomes = acts.replay_many(actor, services.quarantine, entries, chosen.kind, note)
    return {"replayed": dict(outcomes), "left": left}


@router.delete(
    "/{entry}",
    status_code=204,
    summary="Discard one; the ledger's counts stay as they are",
    responses={**answer(204, "It is gone."), **responses(404)},
    **needs("operator"),
)
def discard_entry(entry: Id, services: Held, actor: Acting) -> Response:
    _refuse_action(entry)
    acts.discard(actor, services.quarantine, entry)
    return Response(status_code=204)


@router.post(
    "/discard",
    summary="Discard some or all; the ledger's counts stay as they are",
    responses=answer(200, "How many there were.", {"discarded": 3}),
    **needs("operator"),
)
def discard_entries(chosen: Chosen, services: Held, actor: Acting) -> Discarded:
    entries = None if chosen.all else chosen.ids
    return {"discarded": acts.discard_many(actor, services.quarantine, entries, chosen.kind)}


def _refuse_action(entry: str) -> None:
    """`/replay` and `/discard` look like entries to the router, and are actions that are only posted."""
    if entry in ("replay", "discard"):
        raise HTTPException(405, "Method Not Allowed", {"Allow": "POST"})
