"""Carries a form that was sent after its session ended through the sign-in, so that the person can send it again.

It is a hidden field of the sign-in form, and nothing of it is kept on the server. After the sign-in, the page of the
form shows it again, filled. A form of another site is refused before.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from admin.console.sent import SECRETS, Sent
from admin.console.visitor import own_path
from zelador.undecodable import UNDECODABLE

MAX_CARRIED = 20_000  # bytes of the form as JSON
MAX_BODY = 65_536  # bytes of the sign-in form with it, as a browser encodes it


class Carried(msgspec.Struct, frozen=True):
    """A form: where it was sent, its fields, and whether it had a file, which a browser does not keep."""

    action: str
    fields: dict[str, tuple[str, ...]]
    has_files: bool = False


@dataclass(frozen=True, slots=True)
class Unsent:
    """What is shown after the sign-in if the page of the form cannot be."""

    unsent: Sent
    again: str  # path of the form's page
    has_files: bool


def carry(sent: Sent, has_files: bool) -> str:
    """Returns a form as text; empty if it is too large. Its keys and passwords were left out when it was read."""
    if not sent.fields:
        return ""
    data = msgspec.json.encode(Carried(sent.action, dict(sent.fields), has_files))
    return data.decode() if len(data) <= MAX_CARRIED else ""


def carried_in(text: str) -> Carried | None:
    """Returns the form that a sign-in form carries; None if there is none."""
    if not text or len(text) > MAX_CARRIED:
        return None
    try:
        found = msgspec.json.decode(text, type=Carried)
    except UNDECODABLE:
        return None
    if not found.fields or own_path(found.action) != found.action:
        return None
    fields = {name: values for name, values in found.fields.items() if name not in SECRETS}
    return Carried(found.action, fields, found.has_files)


def unsent_of(carried: Carried) -> Sent:
    """Returns the form as its page shows it."""
    kind = "file-not-sent" if carried.has_files else "session-ended"
    return Sent(carried.action, carried.fields, kind, kind=kind)
