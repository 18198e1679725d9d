"""/v1/keys: who may ask: list, make, revoke."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access import last_use
from admin.access.guard import audit
from admin.access.roles import needs
from admin.document.answers import answer
from admin.document.problems import responses
from operations import key_file
from operations.key_file import Role, State
from zelador.errors import Unavailable

router = APIRouter(prefix="/v1/keys", tags=["access"])

EXAMPLE = {
    "id": "4f2a91c0",
    "role": "operator",
    "note": "the shift's tablet",
    "state": "valid",
    "created_at": "2026-11-24T12:00:01Z",
    "expires_at": "2027-11-24T12:00:01Z",
    "revoked_at": None,
    "last_used_at": None,
}


class Key(TypedDict):
    """What is known of a key; never the key itself."""

    id: Annotated[str, Field(description="Its name in logs and history.")]
    role: Annotated[Role, Field(description="What it may do.")]
    note: Annotated[str, Field(description="What it is for; may be empty.")]
    state: Annotated[State, Field(description="Only a valid one is let in.")]
    created_at: Annotated[str, Field(description="When it was made, ISO 8601, UTC.")]
    expires_at: Annotated[str | None, Field(description="When it expires or did, ISO 8601, UTC; null for never.")]
    revoked_at: Annotated[str | None, Field(description="When it was revoked, ISO 8601, UTC; null if it was not.")]
    last_used_at: Annotated[str | None, Field(description="To the minute, ISO 8601, UTC; null if it never was.")]


class KeyList(TypedDict):
    """Every key that was made."""

    keys: Annotated[list[Key], Field(description="The oldest first.")]


class NewKey(Key):
    """A key that was just made."""

    key: Annotated[str | None, Field(description="The key itself, shown this once; null in a repeated answer.")]


class WantedKey(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"role": "operator", "note": "the shift's tablet"}]}
    )

    role: Annotated[Role, Field(description="viewer looks and classifies, operator also acts, admin may all.")]
    note: Annotated[str, Field(max_length=key_file.MOST_NOTE, description="What it is for.")] = ""
    lasts_s: Annotated[
        int | None, Field(ge=1, le=100 * 366 * 86_400, description="Seconds until it expires; without it, never.")
    ] = None


def describe(key: key_file.Key, used: dict[str, str]) -> Key:
    """All but its digest."""
    return {
        "id": key.id,
        "role": key.role,
        "note": key.note,
        "state": key.state,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": used.get(key.id),
    }


@router.get(
    "",
    summary="Every key: role, note, whether it is valid, when it was last used (to the minute); never the key itself",
    responses=answer(200, "Every key that was made.", {"keys": [EXAMPLE]}),
    **needs("admin"),
)
def list_keys(request: Request) -> KeyList:
    path = request.app.state.services.settings.api.keys_file
    used = last_use.read(last_use.where(path))
    return {"keys": [describe(key, used) for key in key_file.list_keys(path)]}


@router.post(
    "",
    status_code=201,
    summary="Make a key; the answer has it, once",
    description="A repeat by an Idempotency-Key shows the same record, with `key` null: no key is ever stored.",
    responses=answer(201, "What is known of the key, and the key itself.", {**EXAMPLE, "key": "zlk_…"}),
    **needs("admin"),
)
def make_key(wanted: WantedKey, request: Request) -> NewKey:
    path = request.app.state.services.settings.api.keys_file
    record, key = key_file.new_key(path, wanted.role, wanted.note, wanted.lasts_s)
    shown = describe(record, {})
    try:
        audit(request, "key made", record.id, None, shown)
    except Unavailable:
        key_file.forget(path, record.id)  # nobody has seen it
        raise
    return {**shown, "key": key}


@router.delete(
    "/{key}",
    status_code=204,
    summary="Revoke a key; the last admin key is refused",
    responses={**answer(204, "It is revoked, or was before."), **responses(404, 409)},
    **needs("admin"),
)
def revoke_key(
    key: Annotated[str, InPath(description="The key's id.", examples=["4f2a91c0"])], request: Request
) -> Response:
    ended = key_file.revoke(request.app.state.services.settings.api.keys_file, key)
    audit(request, "key revoked", ended.id, {"role": ended.role, "note": ended.note}, {"revoked_at": ended.revoked_at})
    return Response(status_code=204)
