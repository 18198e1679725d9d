"""/v1/quarantine: lists, shows, replays and discards messages that were refused or set aside."""

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

MAX_LISTED = 100  # entries listed one by one in the response to a replay
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
    """A page of the quarantine, and its size."""

    entries: Annotated[list[QuarantineEntry], Field(description="Newest first.")]
    next: Next
    kept: Annotated[int, Field(description="Entries in quarantine now.")]
    kept_bytes: Annotated[int, Field(description="Total size of their topics, reasons and payloads, in bytes.")]
    discarded: Annotated[
        int, Field(description="Entries discarded so far, by hand or because the quarantine was full.")
    ]


class Replay(TypedDict):
    """The outcome of replaying an entry."""

    id: Annotated[str, Field(description="The entry's id.")]
    outcome: Annotated[
        Outcome,
        Field(
            description="accepted; repeated: its id has been seen since; waiting: it was set aside and waits again; "
            "still_refused, not_whole: it stays in quarantine; gone: it was no longer there."
        ),
    ]
    readings: Annotated[int, Field(description="Number of its readings that were accepted or were repeats.")]
    reason: Annotated[str | None, Field(description="Why it stays in quarantine; null if it does not.")]


class Left(TypedDict):
    """An entry that stays in quarantine."""

    id: Annotated[str, Field(description="The entry's id.")]
    reason: Annotated[str, Field(description="Why it stays in quarantine.")]


class Replays(TypedDict):
    """The outcomes of replaying several entries."""

    replayed: Annotated[dict[Outcome, int], Field(description="Number of entries by outcome.")]
    left: Annotated[list[Left], Field(description=f"The first {MAX_LISTED} entries that stay in quarantine.")]


class Discarded(TypedDict):
    """The number of discarded entries."""

    discarded: Annotated[int, Field(description="Number of entries that were deleted.")]


class Chosen(BaseModel):
    """The entries to act on: by id, or all."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": ["1795514400004-0"]}, {"all": True}]}
    )

    ids: Annotated[list[str], Field(max_length=500, description="Ids of the entries, processed in this order.")] = []
    all: Annotated[bool, Field(description="All entries that are in quarantine now.")] = False
    kind: Annotated[Kind | None, Field(description="With `all`: only refused entries, or only those set aside.")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Chosen:
        if bool(self.ids) == self.all:
            raise ValueError("send ids, or all: true")
        return self


@router.get(
    "",
    summary="List the quarantine, newest first, with the beginning of each payload",
    responses=answer(200, "A page of entries, and the size of the quarantine.", PAGE),
    **needs("viewer"),
)
def list_quarantine(
    services: Held,
    limit: Annotated[int, Query(ge=1, le=500, description="Maximum number of entries on the page.")] = 50,
    before: Annotated[str | None, Query(description="`next` of the previous page.", max_length=60)] = None,
    kind: Annotated[Kind | None, Query(description="Only refused entries, or only those set aside.")] = None,
) -> QuarantinePage:
    page = services.quarantine.page(limit, before, kind)
    standing = services.ledger.snapshot()
    return {
        "entries": [described(each) for each in page],
        "next": page[-1].id if len(page) == limit else None,
        "kept": standing.kept,
        "kept_bytes": standing.kept_bytes,
        "discarded": standing.discarded,
    }


@router.get(
    "/{entry}",
    summary="Get an entry, with the stored part of its payload",
    responses={**answer(200, "The entry.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_entry(entry: Id, services: Held) -> QuarantineEntry:
    _refuse_action(entry)
    return described(services.quarantine.get(entry))


@router.get(
    "/{entry}/payload",
    summary="Get the payload of an entry, byte for byte",
    response_class=Response,
    responses={
        200: {"description": "The received bytes, or the part that was stored.", "content": BINARY},
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
    summary="Replay an entry with the current settings; it stays in quarantine if it still cannot be used",
    responses={**answer(200, "The outcome.", REPLAY), **responses(404)},
    **needs("operator"),
)
def replay_entry(entry: Id, services: Held, actor: Acting) -> Replay:
    done = acts.replay(actor, services.quarantine, entry)
    return {"id": done.id, "outcome": done.outcome, "readings": done.readings, "reason": done.reason}


@router.post(
    "/replay",
    summary="Replay some or all entries",
    responses={**answer(200, "The outcomes.", REPLAYED), **responses(404)},
    **needs("operator"),
)
def replay_entries(chosen: Chosen, services: Held, actor: Acting) -> Replays:
    left: list[Left] = []

    def note(done: kept.Replay) -> None:
        if done.reason is not None and len(left) < MAX_LISTED:
            left.append({"id": done.id, "reason": done.reason})

    entries = None if chosen.all else chosen.ids
    outcomes = acts.replay_many(actor, services.quarantine, entries, chosen.kind, note)
    return {"replayed": dict(outcomes), "left": left}


@router.delete(
    "/{entry}",
    status_code=204,
    summary="Discard an entry; the ledger's counts do not change",
    responses={**answer(204, "The entry is deleted."), **responses(404)},
    **needs("operator"),
)
def discard_entry(entry: Id, services: Held, actor: Acting) -> Response:
    _refuse_action(entry)
    acts.discard(actor, services.quarantine, entry)
    return Response(status_code=204)


@router.post(
    "/discard",
    summary="Discard some or all entries; the ledger's counts do not change",
    responses=answer(200, "The number of discarded entries.", {"discarded": 3}),
    **needs("operator"),
)
def discard_entries(chosen: Chosen, services: Held, actor: Acting) -> Discarded:
    entries = None if chosen.all else chosen.ids
    return {"discarded": acts.discard_many(actor, services.quarantine, entries, chosen.kind)}


def _refuse_action(entry: str) -> None:
    """Answers 405 to a GET of the actions `/replay` and `/discard`, which match the route of an entry."""
    if entry in ("replay", "discard"):
        raise HTTPException(405, "Method Not Allowed", {"Allow": "POST"})
