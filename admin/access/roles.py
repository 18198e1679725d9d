"""Roles: every route names the lowest role that may use it; otherwise the app does not start."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from admin.access.json_body import check_json
from operations.key_file import ROLES, Role

FIELD, LARGE = "x-role", "x-large-body"  # both are in the OpenAPI document
OPEN_BODY, MAX_OPEN_BODY = "x-open-body", 1_024  # bytes of a body on a path without a key
ANYONE = "anyone"  # no key needed
FOUND = "zelador.found"  # where the guard puts the route in the request's scope


def needs(role: Role, *, large_body: bool = False, **schema: Any) -> dict[str, Any]:
    """Returns arguments for a route's decorator, as in `@router.get("", **needs("viewer"))`.

    `schema` is merged into the operation's OpenAPI.
    """
    return {"openapi_extra": {FIELD: role, **({LARGE: True} if large_body else {}), **schema}}


def open_to_anyone(max_body: int = MAX_OPEN_BODY) -> dict[str, Any]:
    """Returns arguments for the decorator of a route that needs no key. `max_body`: bytes that are read of a body."""
    return {"openapi_extra": {FIELD: ANYONE, **({} if max_body == MAX_OPEN_BODY else {OPEN_BODY: max_body})}}


@dataclass(frozen=True, slots=True)
class Found:
    """The route that matches a request, and the parameters of its path."""

    route: BaseRoute
    child_scope: Scope


class Route(APIRoute):
    """A route that is not matched a second time after the guard has found it, and takes no text that is not one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def handle(request: Request) -> Response:
            await check_json(request)
            return await handler(request)

        return handle

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found: Found | None = scope.get(FOUND)
        if found is None:
            return super().matches(scope)
        return (Match.FULL, found.child_scope) if found.route is self else (Match.NONE, {})


def find(routes: Iterable[BaseRoute], scope: Scope) -> Found | None:
    """Returns the route that matches, or None (404, 405)."""
    for route in routes:
        match, child_scope = route.matches(scope)
        if match is Match.FULL:
            return Found(route, child_scope)
    return None


def role_of(route: BaseRoute) -> Role | None:
    """Returns the role of a route; None if it is open to anyone."""
    field = _field(route)
    return next((role for role in ROLES if role == field), None)


def is_large(route: BaseRoute) -> bool:
    return bool((getattr(route, "openapi_extra", None) or {}).get(LARGE))


def max_open_body(route: BaseRoute) -> int:
    found: int = (getattr(route, "openapi_extra", None) or {}).get(OPEN_BODY, MAX_OPEN_BODY)
    return found


def open_paths(routes: Iterable[BaseRoute]) -> frozenset[str]:
    """Returns the paths that need no key."""
    return frozenset(route.path for route in routes if isinstance(route, APIRoute) and _field(route) == ANYONE)


def check(routes: Iterable[BaseRoute]) -> None:
    """Raises AssertionError for a route without a role."""
    for route in routes:
        if not isinstance(route, Route) or _field(route) not in (*ROLES, ANYONE):
            raise AssertionError(f"{route} names no role: make it by a router of admin.access.roles, with **needs(…)")


def _field(route: BaseRoute) -> str | None:
    found: str | None = (getattr(route, "openapi_extra", None) or {}).get(FIELD)
    return found
