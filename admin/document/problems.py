"""Maps every error to a problem document (RFC 9457) with a stable `type`, and to its HTTP status."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from registry.errors import (
    BundleRefused,
    ChangedMeanwhile,
    DuplicateName,
    FeaturesMissing,
    ModelRefused,
    ModelSelected,
    OutcomeUnknown,
    TypeRefused,
)
from zelador import errors

log = logging.getLogger(__name__)

SEND_JSON = "send a JSON object as Content-Type: application/json (curl: -H 'Content-Type: application/json')"


class PreconditionRequired(errors.ZeladorError):
    """The change needs If-Match, with the ETag of the state that it is based on."""


# (error, status, type, title); the first match counts. docs/reference/api.md lists the types, whose meaning is fixed.
KINDS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (PreconditionRequired, 428, "precondition-required", "If-Match is required"),
    (ChangedMeanwhile, 412, "changed-meanwhile", "The registry changed meanwhile"),
    (FeaturesMissing, 409, "features-missing", "The plant lacks features of the model"),
    (ModelSelected, 409, "model-selected", "The model is selected"),
    (DuplicateName, 409, "name-taken", "The name is taken"),
    (BundleRefused, 422, "archive-refused", "The archive is refused"),
    (TypeRefused, 422, "type-refused", "The type is not allowed"),
    (ModelRefused, 500, "model-refused", "The stored model is refused"),
    (OutcomeUnknown, 503, "outcome-unknown", "The outcome is unknown"),
    (errors.NotFound, 404, "not-found", "Not found"),
    (errors.Conflict, 409, "conflict", "Conflict with the current state"),
    (errors.InvalidInput, 422, "invalid-input", "Invalid input"),
    (errors.Corrupt, 500, "corrupt", "Stored data is damaged"),
    (errors.Unavailable, 503, "unavailable", "Temporarily unavailable"),
    (redis.RedisError, 503, "redis-unavailable", "Redis does not answer"),
)
TITLES = {
    400: ("bad-request", "The request cannot be read"),
    401: ("unauthorized", "An API key is required"),
    403: ("forbidden", "The key's role does not allow this"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    409: ("conflict", "Conflict with the current state"),
    412: ("changed-meanwhile", "The registry changed meanwhile"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "Unsupported content type"),
    422: ("invalid-input", "Invalid input"),
    428: ("precondition-required", "If-Match is required"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal", "Internal error"),
    503: ("unavailable", "Temporarily unavailable"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    kind: str  # the last part of `type`
    title: str
    detail: str
    field: str = ""  # of the form or body that caused it, if it is known


Page = Callable[[Request, Problem, Mapping[str, str]], Response]
FormPage = Callable[[Request, Problem, Mapping[str, str]], Awaitable[Response | None]]
CONSOLE = "/console"
RETRY_AFTER = {"Retry-After": "5"}  # of a 503, unless its cause names another time


def console_page(request: Request) -> Page | None:
    """Returns the function that shows an error as a page of the console; None if the request is not for the console."""
    app: FastAPI | None = request.scope.get("app")
    path = request.url.path
    if app is None or not (path == CONSOLE or path.startswith(f"{CONSOLE}/")):
        return None
    page: Page | None = getattr(app.state, "console_page", None)
    return page


PROBLEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}


def problem(
    request: Request,
    status: int,
    kind: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Returns the error as a problem document, or as a page for a browser in the console."""
    if status == 503:
        headers = RETRY_AFTER | (headers or {})
    if (page := console_page(request)) is not None:
        return page(request, Problem(status, kind, title, detail), headers or {})
    body = {
        "type": f"/problems/{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **more,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def problem_response(request: Request, *given: Any, **more: Any) -> Response:
    """Returns `problem`. A page is rendered on a thread, because it shows the plant, and Redis may not answer."""
    if console_page(request) is None:
        return problem(request, *given, **more)
    if request.method == "POST" and (again := await _form_again(request, *given)) is not None:
        return again
    return await run_in_threadpool(problem, request, *given, **more)


async def _form_again(
    request: Request, status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response | None:
    """Returns the page of a form that was refused before its route ran, filled as it was sent; None without one."""
    show: FormPage | None = getattr(request.app.state, "console_form", None)
    if show is None:
        return None
    given = (RETRY_AFTER if status == 503 else {}) | dict(headers or {})
    return await show(request, Problem(status, kind, title, detail), given)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the error responses of a route, for the OpenAPI document."""
    return {
        status: {
            "description": TITLES[status][1],
            "content": {
                "application/problem+json": {
                    "schema": PROBLEM,
                    "example": {
                        "type": f"/problems/{TITLES[status][0]}",
                        "title": TITLES[status][1],
                        "status": status,
                        "detail": "what was wrong, and how to fix it",
                        "instance": "/v1/…",
                    },
                }
            },
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Turns every exception into a problem. A client never gets a stack trace; unexpected errors are logged in full."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = jsonable_encoder(error.errors(), exclude={"url", "ctx", "input"})
        first = found[0]
        kind = request.headers.get("content-type", "")
        if first["loc"] == ["body"] and not any(known in kind for known in ("json", "zip")):
            type_, title = TITLES[415]
            return await problem_response(request, 415, type_, title, SEND_JSON)
        return await problem_response(request, 422, "invalid-input", "Invalid input", _detail(first), errors=found)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        kind, title = TITLES.get(error.status_code, ("http", "The request was refused"))
        headers = dict(error.headers) if error.headers else None
        return await problem_response(request, error.status_code, kind, title, str(error.detail), headers)

    for expected, status, kind, title in reversed(KINDS):
        app.add_exception_handler(expected, _handler(status, kind, title))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return await problem_response(request, 500, "internal", "Internal error", "see the server's log for details")


def problem_of(error: Exception) -> Problem | None:
    """Returns the problem that an error of a route is; None for one that is not expected."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        return Problem(422, *TITLES[422], _detail(first), str(first["loc"][-1]))
    for expected, status, kind, title in KINDS:
        if isinstance(error, expected):
            return Problem(status, kind, title, str(error), getattr(error, "field", ""))
    return None


def _detail(invalid: Mapping[str, Any]) -> str:
    """Describes the first thing that is invalid in a request: where it is, and why."""
    return f"{'.'.join(str(part) for part in invalid['loc'])}: {invalid['msg']}"


def _handler(status: int, kind: str, title: str) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        if status >= 500:
            log.error("%s %s: %s", request.method, request.url.path, error)
        return await problem_response(request, status, kind, title, str(error))

    return handle
