"""Shows the page of a form again after it was refused: by its route, or by the guard before that.

If the page cannot be shown, as without Redis, the error page keeps what was typed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import cast
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import redis
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import request_response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message, Scope

from admin.access import roles
from admin.access.bodies import ReadForm
from admin.access.identity import KEY
from admin.console.sent import MAX_FIELDS, SENT, Sent, sent_of
from admin.document.problems import Problem, problem_of
from admin.outage import WAIT_S
from operations.key_file import Key
from zelador.errors import ZeladorError
from zelador.time_budget import limited

ONCE = ("done", "outcome")  # fields of an address that say what was just done
UNSENT = "zelador.unsent"  # where the form is in the scope of a request that is answered by the error page
FILES = "zelador.files"  # whether that form had a file
Handler = Callable[[Request], Awaitable[Response]]

BROKEN = (500,)  # nothing was refused: something is broken
FOREIGN = "cross-site"  # another site may have filled that form


async def shown_again(request: Request, error: Exception) -> Response | None:
    """Returns the page of a form that its route refused, filled as it was sent; None if it cannot be shown."""
    problem = problem_of(error)
    if problem is None or problem.status in BROKEN:
        return None
    try:
        form = await request.form(max_fields=MAX_FIELDS)
    except HTTPException:
        return None
    return await _again(request, problem, form)


async def refused_before(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response | None:
    """Returns the page of a form that the guard refused, before its body was read; None if it cannot be shown."""
    read: ReadForm | None = request.scope.get(ReadForm.NAME)
    is_signed_in = request.scope.get(KEY) is not None
    if read is None or problem.kind == FOREIGN or not (is_signed_in or problem.status == 401):
        return None
    form = FormData() if read.is_lost else await read.form(MAX_FIELDS)
    if form is None:
        return None
    answer = await _again(request, problem, form, is_page_shown=read.is_page_shown and is_signed_in)
    if answer is not None:
        answer.headers.update(headers)
    return answer


async def _again(request: Request, problem: Problem, form: FormData, is_page_shown: bool = True) -> Response | None:
    sent = sent_of(request.scope["path"], form, problem)
    answer = await filled(request, sent, request.scope.get(KEY)) if is_page_shown else None
    if answer is None:
        request.scope[UNSENT] = sent
        request.scope[FILES] = has_files(form)
    return answer


def has_files(form: FormData) -> bool:
    return any(isinstance(value, UploadFile) for value in form.values())


async def filled(request: Request, sent: Sent, key: Key | None, page: str = "") -> Response | None:
    """Returns the page of a form as `key` sees it, filled as it was sent; None if it cannot be shown.

    `page` is its address, if the form does not name it.
    """
    for path, query in _addresses(request, sent.fields.get("page", (page,))[0], sent.action):
        scope = {**request.scope, "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query}
        scope[KEY] = key
        scope.pop(roles.FOUND, None)
        if (handle := _page(request, scope)) is None:
            continue
        try:
            with limited(WAIT_S):
                answer = await _answer(handle, {**scope, SENT: sent})
        except (ZeladorError, HTTPException, RequestValidationError, redis.RedisError, OSError):
            continue  # the page itself cannot be shown, such as that of a device that does not exist
        if answer.media_type == "text/html; charset=utf-8":
            return answer
    return None


async def _answer(handle: Handler, scope: Scope) -> Response:
    """Runs the function of a page's route without sending its answer. Raises its errors, as no handler is there."""
    found: list[Response] = []

    async def keep(request: Request) -> Response:
        found.append(await handle(request))
        return Response()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        return

    scope.pop("starlette.exception_handlers", None)
    await AsyncExitStackMiddleware(request_response(keep))(scope, receive, send)
    return found[0]


def address_of_form(request: Request) -> str:
    """Returns the path and query of the page that sent a form; that above the form's own if it is unknown."""
    for path, query in _addresses(request, "", request.scope["path"]):
        scope = {**request.scope, "method": "GET", "path": path}
        scope.pop(roles.FOUND, None)
        if roles.find(cast(FastAPI, request.app).routes, scope) is not None:
            return quote(path) + (f"?{query.decode()}" if query else "")
    return ""


def _addresses(request: Request, page: str, action: str) -> Iterator[tuple[str, bytes]]:
    """Yields the paths and queries of pages: that the form names, that sent it, nearest above the form's address."""
    referer = urlsplit(request.headers.get("referer", ""))
    for given in (page, f"{referer.path}?{referer.query}"):
        path, _, query = given.partition("?")
        kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in ONCE]
        if path.startswith("/console/"):
            yield unquote(path), urlencode(kept).encode()
    above = action
    while above.count("/") > 1:
        yield above, b""
        above = above.rpartition("/")[0]


def _page(request: Request, scope: Scope) -> Handler | None:
    """Returns the function that answers with the page at the scope's path, if the visitor may see it."""
    app: FastAPI = request.app
    found = roles.find(app.routes, scope)
    if found is None or not isinstance(found.route, roles.Route):
        return None
    role, key = roles.role_of(found.route), cast("Key | None", scope.get(KEY))
    if role is None or key is None or not key.may(role):
        return None
    scope.update(found.child_scope)
    scope[roles.FOUND] = found
    return found.route.get_route_handler()
