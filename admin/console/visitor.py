"""The visitor of a page: key, language and theme."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, unquote

from fastapi import Depends, Request

from admin.access.identity import KEY
from admin.console.language import COOKIE, chosen
from admin.console.said import Said, said_in
from admin.console.sent import SENT, Sent
from admin.packed import accepts_gzip
from operations.key_file import Key

Theme = Literal["", "light", "dark"]
THEME_COOKIE = "zelador_theme"
THEMES: tuple[Theme, ...] = ("", "light", "dark")  # "": as the system


@dataclass(frozen=True, slots=True)
class Visitor:
    key: Key | None  # None before sign-in
    language: str
    theme: Theme
    path: str  # of the page with its query, to which the switches return
    is_secure: bool  # over TLS
    packed: bool  # the browser accepts gzip
    nonce: str  # of this response's scripts
    sent: Sent | None = None  # a form that was refused, if its page is shown again
    said: Said | None = None  # what the form before this page did

    def sent_to(self, action: str) -> Sent:
        """Returns the form that was sent to an address, if it was refused; else an empty one."""
        return self.sent if self.sent is not None and self.sent.action == unquote(action) else Sent()

    @property
    def name(self) -> str:
        """The note of the key, or its id if it has no note."""
        return "" if self.key is None else self.key.note or self.key.id


def visitor_of(request: Request) -> Visitor:
    theme = request.cookies.get(THEME_COOKIE, "")
    path = quote(request.scope["path"], safe="/!$&'()*+,;=:@~")
    query = f"?{request.url.query}" if request.url.query else ""
    return Visitor(
        request.scope.get(KEY),
        chosen(request.cookies.get(COOKIE), request.headers.get("accept-language", "")),
        next((each for each in THEMES if each == theme), ""),
        f"{path}{query}"[:1_000] if request.method in ("GET", "HEAD") else path,
        request.scope["scheme"] == "https",
        accepts_gzip(request),
        secrets.token_urlsafe(16),
        request.scope.get(SENT),
        said_in(request) if request.method in ("GET", "HEAD") and SENT not in request.scope else None,
    )


async def visiting(request: Request) -> Visitor:
    return visitor_of(request)


Visiting = Annotated[Visitor, Depends(visiting)]


def own_path(given: str | None) -> str:
    """Returns `given` if it is a path of the console; else the overview's, so that no link leads to another host."""
    if given and given.startswith("/console/") and given.isprintable() and "\\" not in given and "//" not in given:
        return given[:1_000]
    return "/console/overview"
