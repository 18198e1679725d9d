"""Every route, from the app itself, with no key, with wrong ones, and with a key of each role."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from admin.access import roles
from admin.app import PARTS, make_app
from admin.console import app as console
from operations.key_file import ROLES, new_key, revoke
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import is_problem, serving
from tests.small_models import select_one
from zelador.settings import Settings

# What each role may do, written independently: the routes' declarations must agree with it.
ADMIN = {
    "POST /v1/models", "DELETE /v1/models/{name}", "GET /v1/keys", "POST /v1/keys", "DELETE /v1/keys/{key}",
    "GET /v1/audit",
}  # fmt: skip
VIEWER_TOO = {"POST /v1/classify"}


def expected(operation: str) -> str:
    if operation in ADMIN:
        return "admin"
    return "viewer" if operation.startswith("GET ") or operation in VIEWER_TOO else "operator"


def console_routes() -> list[APIRoute]:
    return [route for router in console.routers() for route in router.routes if isinstance(route, APIRoute)]


def operations() -> list[tuple[str, str]]:
    """(method, path) of every route that the app has, open ones too."""
    return [
        (method, route.path)
        for part in PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"})
GUARDED = [(method, path) for method, path in operations() if path not in OPEN]


@pytest.fixture
def keyed(api_settings: Settings) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A client without a key, and a key of each role."""
    select_one(api_settings.registry.url)
    with serving(api_settings) as client:
        client.headers.pop("Authorization")
        yield client, {role: new_key(api_settings.api.keys_file, role)[1] for role in ROLES}


def ask(client: httpx.Client, method: str, path: str, key: str | bytes | None) -> httpx.Response:
    """Sends a request that names no existing thing, with a body that does nothing."""
    url = re.sub(r"\{[^}]*\}", "none", path)
    given = f"Bearer {key}".encode() if isinstance(key, str) else key
    headers = {} if given is None else {"Authorization": given}
    return client.request(method, url, headers=headers, json={"what": "nobody takes"})


def test_the_list_of_routes_is_whole(api_settings: Settings) -> None:
    app = make_app(api_settings)
    found = {(m, route.path) for route in app.routes if isinstance(route, APIRoute) for m in route.methods or ()}
    pages = {(method, route.path) for route in console_routes() for method in route.methods or ()}
    assert found == set(operations()) | pages
    others = {route.path for route in app.routes if not isinstance(route, APIRoute)}  # type: ignore[attr-defined]
    assert others <= OPEN
    assert len(GUARDED) > 30
    documented = app.openapi()["paths"]
    assert {(method.upper(), path) for path, found in documented.items() for method in found} == {
        (method, path.replace(":path}", "}")) for method, path in operations() if path not in ("/docs", "/openapi.json")
    }


def test_every_route_needs_a_known_key(keyed: tuple[httpx.Client, dict[str, str]], api_settings: Settings) -> None:
    client, keys = keyed
    path = api_settings.api.keys_file
    ended, expired = new_key(path, "admin"), new_key(path, "admin", lasts_s=0.001)
    revoke(path, ended[0].id)
    wrong = (
        None, "zlk_wrong", keys["admin"][:-1], keys["admin"] + "x", ended[1], expired[1],
        b"Bearer", b"Bearer x y", f"Basic {keys['admin']}".encode(), "Bearer zlk_é".encode(),
    )  # fmt: skip
    first, *others = wrong
    for number, (method, route) in enumerate([*GUARDED, ("GET", "/v1/nowhere"), ("GET", "/nowhere")]):
        for key in (first, *(others[(number + step) % len(others)] for step in (0, 3, 6))):  # each on a third of them
            answer = ask(client, method, route, key)
            is_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_route_accepts_only_its_roles(keyed: tuple[httpx.Client, dict[str, str]], api_settings: Settings) -> None:
    client, keys = keyed
    for method, path in GUARDED:
        least = expected(f"{method} {path}")
        for role in ROLES:
            answer = ask(client, method, path, keys[role])
            if ROLES.index(role) < ROLES.index(least):
                body = is_problem(answer, 403, "forbidden")
                assert f"needs a key of the role {least}" in body["detail"]
                assert keys[role] not in answer.text
            else:
                assert answer.status_code not in (401, 403), f"{role} {method} {path}: {answer.text}"
                assert answer.status_code < 500, f"{method} {path}: {answer.text}"


def test_only_the_intended_routes_are_open(keyed: tuple[httpx.Client, dict[str, str]]) -> None:
    client, _ = keyed
    for path in OPEN:
        assert client.get(path).status_code == 200, path
    assert roles.open_paths(route for part in PARTS for route in part.router.routes) == OPEN


def test_a_route_without_a_role_does_not_start() -> None:
    router = APIRouter(route_class=roles.Route, prefix="/new")

    @router.get("")
    def forgotten() -> None: ...

    app = FastAPI()
    app.router.routes.extend(router.routes)
    with pytest.raises(AssertionError, match="names no role"):
        roles.check(app.routes)
