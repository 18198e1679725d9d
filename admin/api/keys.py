"""/v1/keys: lists, makes and revokes keys of the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.document.answers import answer
from admin.document.problems import responses
from admin.services import Held
from operations import key_file
from operations.acts import keys as acts
from operations.key_file import Role
from operations.views.keys import KeyView, describe, key_views

router = APIRouter(route_class=Route, prefix="/v1/keys", tags=["access"])

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


class KeyList(TypedDict):
    """All keys."""

    keys: Annotated[list[KeyView], Field(description="Oldest first.")]


class NewKey(KeyView):
    """A new key."""

    key: Annotated[str | None, Field(description="The key itself, shown only once; null in a repeated response.")]


class WantedKey(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"role": "operator", "note": "the shift's tablet"}]}
    )

    role: Annotated[Role, Field(description="viewer: read and classify; operator: also act; admin: everything.")]
    note: Annotated[str, Field(max_length=key_file.MAX_NOTE, description="What the key is for.")] = ""
    lasts_s: Annotated[
        int | None, Field(ge=1, le=100 * 366 * 86_400, description="Seconds until it expires; without it, never.")
    ] = None


@router.get(
    "",
    summary="List all keys: role, note, state, last use (to the minute); never the key itself",
    responses=answer(200, "All keys.", {"keys": [EXAMPLE]}),
    **needs("admin"),
)
def list_keys(services: Held) -> KeyList:
    return {"keys": key_views(services.settings.api.keys_file)}


@router.post(
    "",
    status_code=201,
    summary="Make a key; only this response shows it",
    description="A repeat with the same Idempotency-Key returns the same record with `key` null: no key is stored.",
    responses=answer(201, "The key's record, and the key itself.", {**EXAMPLE, "key": "zlk_…"}),
    **needs("admin"),
)
def make_key(wanted: WantedKey, services: Held, actor: Acting) -> NewKey:
    record, key = acts.make(actor, services.settings.api.keys_file, wanted.role, wanted.note, wanted.lasts_s)
    return {**describe(record, {}), "key": key}


@router.delete(
    "/{key}",
    status_code=204,
    summary="Revoke a key; the last admin key is refused",
    responses={**answer(204, "The key is revoked, or already was."), **responses(404, 409)},
    **needs("admin"),
)
def revoke_key(
    key: Annotated[str, InPath(description="The key's id.", examples=["4f2a91c0"])], services: Held, actor: Acting
) -> Response:
    acts.revoke(actor, services.settings.api.keys_file, key)
    return Response(status_code=204)
