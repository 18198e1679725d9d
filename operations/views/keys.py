"""The records of the admin API's keys; never the keys themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from operations import key_file, last_use
from operations.key_file import Role, State
from zelador.errors import ZeladorError


class KeyView(TypedDict):
    """The record of a key, without its secret."""

    id: Annotated[str, Field(description="The key's id, which names it in logs and history.")]
    role: Annotated[Role, Field(description="What the key allows.")]
    note: Annotated[str, Field(description="What the key is for; may be empty.")]
    state: Annotated[State, Field(description="Only a valid key is accepted.")]
    created_at: Annotated[str, Field(description="Time when it was made, ISO 8601, UTC.")]
    expires_at: Annotated[
        str | None, Field(description="Time when it expires or expired, ISO 8601, UTC; null if it never does.")
    ]
    revoked_at: Annotated[str | None, Field(description="Time when it was revoked, ISO 8601, UTC; null if it was not.")]
    last_used_at: Annotated[
        str | None, Field(description="Time of the last use, to the minute, ISO 8601, UTC; null if never used.")
    ]


def key_views(path: Path) -> list[KeyView]:
    """Every key in the file, oldest first. Raises Corrupt and NotFound, as `key_file.list_keys` does."""
    used = last_use.read(last_use.where(path))
    return [describe(key, used) for key in key_file.list_keys(path)]


def key_names(path: Path) -> dict[str, str]:
    """What people call the keys that have a note, by the author that history and audit log name: `key 4f2a91c0`."""
    try:
        keys = key_file.list_keys(path)
    except ZeladorError:
        return {}
    return {f"key {key.id}": key.note for key in keys if key.note}


def describe(key: key_file.Key, used: Mapping[str, str]) -> KeyView:
    """The record without the key's digest."""
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
