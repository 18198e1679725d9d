"""The page of API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Form, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.page import go, pages, show, signed_in
from admin.console.said import Said
from admin.console.visitor import Visiting, Visitor
from admin.console.words import people
from operations.acts import keys as acts
from operations.key_file import MAX_NOTE, Role
from operations.views.keys import KeyView, key_views
from zelador.clock import now_ms
from zelador.errors import NotFound

router = pages("keys")

DAY_S = 86_400
SOON_S = 14 * DAY_S
LASTS: dict[str, int | None] = {"90d": 90 * DAY_S, "1y": 365 * DAY_S, "never": None}


@dataclass(frozen=True, slots=True)
class KeysPage:
    keys: list[KeyView]  # valid ones first, then the others; of each the newest first
    made: str  # a new key, shown once; empty if no key was made
    made_for: str
    own: str  # id of the visitor's key
    revocable: frozenset[str]  # ids of the keys that this page can revoke
    asked: KeyView | None  # the key to revoke
    left: dict[str, float]  # id of a key that ends soon to the seconds until then
    used: dict[str, float]  # id of a key that was used today to the seconds since then


@router.get("", **needs("admin"))
def show_keys(console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor)


@router.post("", **needs("admin"))
def make_key(
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    role: Annotated[Role, Form()],
    note: Annotated[str, Form(max_length=MAX_NOTE)] = "",
    lasts: Annotated[Literal["90d", "1y", "never"], Form()] = "90d",
) -> Response:
    """Makes a key. Answers without a redirect, because the key is shown once and must not be in a URL."""
    _, key = acts.make(actor, console.services.settings.api.keys_file, role, note.strip(), LASTS[lasts])
    return _show(console, visitor, key, note.strip())


@router.get("/{key}/revoke", **needs("admin"))
def confirm_revoking(key: Annotated[str, InPath(max_length=40)], console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, asked=key)


@router.post("/{key}/revoke", **needs("admin"))
def revoke(key: Annotated[str, InPath(max_length=40)], console: Shown, actor: Acting) -> Response:
    acts.revoke(actor, console.services.settings.api.keys_file, key)
    return go("/console/keys", Said("key revoked", people(console.services, "admin").get(f"key {key}", key)))


def _show(console: Console, visitor: Visitor, made: str = "", made_for: str = "", asked: str = "") -> Response:
    keys = key_views(console.services.settings.api.keys_file)
    keys.reverse()
    keys.sort(key=lambda key: key["state"] != "valid")
    own = signed_in(visitor).id
    found = next((key for key in keys if key["id"] == asked), None)
    if asked and found is None:
        raise NotFound(f"there is no key {asked!r}")
    now = now_ms()
    left = {key["id"]: -_age(key["expires_at"], now) for key in keys if key["state"] == "valid" and key["expires_at"]}
    used = {key["id"]: _age(key["last_used_at"], now) for key in keys if key["last_used_at"]}
    context = KeysPage(
        keys,
        made,
        made_for,
        own,
        frozenset(key["id"] for key in keys if key["state"] == "valid" and key["id"] != own),
        found,
        {key: seconds for key, seconds in left.items() if seconds < SOON_S},
        {key: seconds for key, seconds in used.items() if seconds < DAY_S},
    )
    template = "keys/revoke.html" if found else "keys/page.html"
    return show(console, visitor, template, context, section="keys", packed=not made)


def _age(moment: str | None, now: int) -> float:
    """Returns how many seconds ago a moment was; below 0 if it is to come."""
    return 0.0 if moment is None else now / 1000 - datetime.fromisoformat(moment).timestamp()


ROUTERS = (router,)
