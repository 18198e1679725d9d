"""Make and revoke keys of the admin API."""

from __future__ import annotations

from pathlib import Path

from operations import key_file
from operations.actor import Actor
from operations.audit import Act
from operations.key_file import Key, Role
from operations.views.keys import describe
from zelador.errors import Unavailable


def make(actor: Actor, path: Path, role: Role, note: str, lasts_s: float | None) -> tuple[Key, str]:
    """Makes a key; returns its record, and the key itself, which is not stored.

    Raises InvalidInput; Unavailable if it cannot be recorded, and then no key exists.
    """
    actor.check()
    record, key = key_file.new_key(path, role, note, lasts_s)
    try:
        actor.record(Act.KEY_MADE, record.id, None, describe(record, {}))
    except Unavailable:
        key_file.forget(path, record.id)  # nobody has seen it
        raise
    return record, key


def revoke(actor: Actor, path: Path, identity: str) -> Key:
    """Revokes a key for good. Raises NotFound, Conflict (the last admin key), Unavailable."""
    actor.check()
    ended = key_file.revoke(path, identity)
    before = {"role": ended.role, "note": ended.note}
    actor.record(Act.KEY_REVOKED, ended.id, before, {"revoked_at": ended.revoked_at})
    return ended
