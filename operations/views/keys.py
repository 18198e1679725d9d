"""What is known of the admin API's keys; never the keys themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from operations import key_file, last_use
from operations.key_file import Role, State


class KeyView(TypedDict):
    """A key, without its secret."""

    id: Annotated[str, Field(description="Its name in logs and history.")]
    role: Annotated[Role, Field(description="What it may do.")]
    note: Annotated[str, Field(description="What it is for; may be empty.")]
    state: Annotated[State, Field(description="Only a valid key is accepted.")]
    created_at: Annotated[str, Field(description="When it was made, ISO 8601, UTC.")]
    expires_at: Annotated[str | None, Field(description="When it expires or did, ISO 8601, UTC; null for never.")]
    revoked_at: Annotated[str | None, Field(description="When it was revoked, ISO 8601, UTC; null if it was not.")]
    last_used_at: Annotated[str | None, Field(description="To the minute, ISO 8601, UTC; null if it never was.")]


def key_views(path: Path) -> list[KeyView]:
    """Every key in the file, the oldest first. Raises Corrupt, NotFound as `key_file.list_keys`."""
    used = last_use.read(last_use.where(path))
    return [describe(key, used) for key in key_file.list_keys(path)]


def describe(key: key_file.Key, used: Mapping[str, str]) -> KeyView:
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
