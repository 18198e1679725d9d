"""The entry routes (`/`, `/console`, `/console/`), and the stream of live parts."""

from __future__ import annotations

from typing import Annotated

import redis
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath
from fastapi.sse import EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from admin.access.roles import Route, needs, open_to_anyone
from admin.access.sessions import cookie_name
from admin.console import live
from admin.console.console import Console, Shown
from admin.console.holders import Holder
from admin.console.page import SAME_ORIGIN, go, pages, signed_in
from admin.console.stream import Topic
from admin.console.visitor import Visiting
from zelador.errors import Corrupt

root = APIRouter(route_class=Route, include_in_schema=False)
router = pages("")

RETRY_S = 5


@root.get("/", **open_to_anyone())
async def to_console(request: Request) -> Response:
    """Redirects a browser to the console; a program gets the same answer as for any path that does not exist."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/console/", 303)
    raise HTTPException(404 if "authorization" in request.headers else 401)


@root.get("/console", **open_to_anyone())
@root.get("/console/", **open_to_anyone())
async def to_first_page(visitor: Visiting) -> Response:
    return go("/console/overview" if visitor.key is not None else "/console/signin")


@router.get("/stream/{page}", **needs("viewer"))
async def stream(
    page: Annotated[str, InPath(max_length=200)],
    console: Shown,
    visitor: Visiting,
    request: Request,
    about: Annotated[str, Query(max_length=512)] = "",
    shown: Annotated[str, Header(alias="last-event-id")] = "",
) -> Response:
    """Streams the live parts of a page. `page` is its name in live.LOOKS; any other gets only the watch line.

    `about` is the id of the device, for the page of one, and what a list shows.
    """
    is_program = "authorization" in request.headers
    token = "" if is_program else request.cookies.get(cookie_name(request.scope["scheme"]), "")
    if not console.hub.has_room(token):
        raise HTTPException(503, "too many pages are open; this one is not live", {"Retry-After": str(RETRY_S)})
    key = signed_in(visitor)
    name = page if page in live.LOOKS else "watch"
    topic = Topic(name, key.role, visitor.language, about if name in live.ABOUT else "")
    messages = console.hub.subscribe(topic, live.look(console), _holder(console, token, key.id), shown)
    return EventSourceResponse(messages, headers={**SAME_ORIGIN, "X-Accel-Buffering": "no"})


def _holder(console: Console, token: str, identity: str) -> Holder:
    """Returns the session of the browser, or else the key of the program, with how to find out that it ended."""
    sessions, keys = console.services.sessions, console.services.keys

    def has_ended() -> bool:
        try:
            if token:
                return sessions.has_ended(token)
            key = keys.by_id(identity)
        except Corrupt:  # it cannot be read now, which ends nothing
            return False
        return key is None or key.state != "valid"

    def is_valid() -> bool:
        try:
            return not has_ended() and (not token or sessions.find(token) is not None)
        except (redis.RedisError, OSError, Corrupt):  # as above
            return True

    return Holder(token or identity, bool(token), has_ended, is_valid)


ROUTERS = (
    root,
    router,
)
