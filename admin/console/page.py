"""Renders a page: its own context, inside the shell that all pages share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

import redis
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.responses import RedirectResponse

from admin.access.roles import Route
from admin.console.again import shown_again
from admin.console.changed import last_change
from admin.console.console import Console
from admin.console.navigation import Group, rail
from admin.console.render import Renderer, page_response
from admin.console.said import Said, forget, keep
from admin.console.visitor import Visitor
from admin.console.words import Event
from admin.document.problems import RETRY_AFTER
from operations.key_file import Key
from operations.views.plant import PlantView
from zelador.errors import ZeladorError

POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAME_ORIGIN = {"Referrer-Policy": "same-origin"}  # with no-referrer, browsers would send Origin: null with forms


@dataclass(frozen=True, slots=True)
class Shell:
    """What the shell around a page shows."""

    visitor: Visitor
    section: str  # of the navigation rail
    rail: list[Group]
    now: PlantView
    live: str  # name of the page's stream; by default, only the watch line
    changed: Event | None = None  # the last change of the registry, for whoever came too late


class PageRoute(Route):
    """A route of pages and forms. A form that is refused is shown again on its page, as it was sent.

    After a form, cached views are forgotten, so that the next page shows its effect.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            console: Console = request.app.state.console
            try:
                response = await handle(request)
                if isinstance(response, Redirect) and response.said is not None:
                    keep(response, response.said, request.scope["scheme"] == "https")
                return response
            except (ZeladorError, RequestValidationError, redis.RedisError) as error:
                console.plant.forget()
                if (again := await shown_again(request, error)) is None:
                    raise
                if again.status_code == 503:
                    again.headers.update(RETRY_AFTER)
                return again
            finally:
                console.plant.forget()

        return handle_form if "POST" in (self.methods or ()) else handle


def pages(prefix: str) -> APIRouter:
    """Returns a router for pages, which are not in the API's OpenAPI document."""
    return APIRouter(route_class=PageRoute, prefix=f"/console/{prefix}".rstrip("/"), include_in_schema=False)


def show(
    console: Console,
    visitor: Visitor,
    template: str,
    context: Any,
    *,
    section: str,
    live: str = "watch",
    status: int = 200,
    headers: Mapping[str, str] = {},
    packed: bool = True,
) -> Response:
    """Renders a page for a signed-in visitor. `packed`: it may be compressed, because it shows no secret."""
    if visitor.sent is not None:
        status = visitor.sent.status
    key, templates = signed_in(visitor), renderer(console, visitor)
    changed = last_change(console, templates.language, key.role) if status == 412 else None
    shell = Shell(visitor, section, rail(key), console.plant.read(), live, changed)
    shown_to = visitor if packed else replace(visitor, packed=False)
    response = answer(templates, shown_to, template, context, status, headers, shell=shell)
    if visitor.said is not None and status < 500:  # the page that was asked for says it again, once it can be shown
        forget(response, visitor.is_secure)
    return response


def renderer(console: Console, visitor: Visitor) -> Renderer:
    return console.renderers[visitor.language]


def answer(
    templates: Renderer,
    visitor: Visitor,
    template: str,
    context: Any,
    status: int,
    headers: Mapping[str, str],
    **more: object,
) -> Response:
    text = templates.render(template, context, visitor=visitor, **more)
    policy = {"Content-Security-Policy": POLICY.format(nonce=visitor.nonce)}
    own = {**SAME_ORIGIN, **policy, "Content-Language": visitor.language, **headers}
    return page_response(text, status, visitor.packed, own)


class Redirect(RedirectResponse):
    """Leads to another page after a form, which says what was done."""

    said: Said | None = None


def go(path: str, said: Said | None = None) -> Redirect:
    """Redirects to another page after a form. `said` is what the form did."""
    found = Redirect(path, 303, SAME_ORIGIN)
    found.said = said
    return found


def signed_in(visitor: Visitor) -> Key:
    """Returns the visitor's key. The guard has checked that there is one."""
    if visitor.key is None:
        raise AssertionError("a page that needs a role was shown without a key")
    return visitor.key
