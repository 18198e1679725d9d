"""Who may do what: each route names the least role that may use it; a route that names none does not start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from operations.key_file import ROLES, Role

FIELD, LARGE = "x-role", "x-large-body"  # both are in the OpenAPI document


def needs(role: Role, *, large_body: bool = False, **schema: Any) -> dict[str, Any]:
    """For a route's decorator: `@router.get("", **needs("viewer"))`; `schema` is merged into its operation."""
    return {"openapi_extra": {FIELD: role, **({LARGE: True} if large_body else {}), **schema}}


def role_of(route: BaseRoute) -> Role | None:
    """None for one that is open to all."""
    found: Role | None = (getattr(route, "openapi_extra", None) or {}).get(FIELD)
    return found


def is_large(route: BaseRoute) -> bool:
    return bool((getattr(route, "openapi_extra", None) or {}).get(LARGE))


def check(routes: Iterable[BaseRoute]) -> None:
    """Raises AssertionError for a route below /v1 that names no role."""
    for route in routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1") and role_of(route) not in ROLES:
            raise AssertionError(f"{sorted(route.methods or ())} {route.path} names no role: add **needs(…)")


def route_for(routes: Iterable[BaseRoute], scope: Scope) -> BaseRoute | None:
    """The route that will answer; None where none does (404, 405)."""
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)
