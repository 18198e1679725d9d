"""/v1/runs/{id}/events: the events of a training run, live and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from admin.access.identity import KEY
from admin.access.roles import Route, needs
from admin.access.sessions import cookie_name
from admin.api.runs import Id
from admin.document.answers import Responses
from admin.document.problems import responses
from admin.services import Held, Services
from operations.key_file import Key
from zelador.errors import InvalidInput

router = APIRouter(route_class=Route, prefix="/v1/runs", tags=["runs"])

RETRY_S = 5
EXAMPLE = (
    "id: 9\nevent: candidate_ended\ndata: "
    '{"number":9,"at":"2026-11-24T11:58:52.114Z","kind":"candidate_ended","message":"compared 3 of 14 classifiers; '
    'LogisticRegression: F1 0.842","done":3,"total":15,"candidate":{"id":"lr","model_type":"LogisticRegression",'
    '"score":0.842,"interval":[0.79,0.88],"seconds":0.27,"trouble":null},"leaderboard":[],"time_left_s":38.5}\n\n'
)
STREAM: Responses = {
    200: {
        "description": "Server-sent events; `data` is JSON.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
    204: {"description": "The run has ended, and `Last-Event-ID` was its last event: do not connect again."},
}


@router.get(
    "/{run}/events",
    summary="Follow a training run: server-sent events until it ends",
    description="Sends what has happened so far, then each event as it happens; ends with the event `ended`. Events "
    "are kept with the run. `id` counts from 1: with `Last-Event-ID`, only later events are sent. The kinds of events "
    "are `started`, `loaded`, `split`, `step`, `candidate_started`, `fold_ended`, `candidate_ended`, "
    "`candidate_failed`, `ended`.",
    response_class=Response,
    responses={**STREAM, **responses(404)},
    **needs("viewer"),
)
async def follow_run(
    run: Id,
    services: Held,
    request: Request,
    last_event_id: Annotated[
        str | None, Header(max_length=20, description="`id` of the last event that the client has.")
    ] = None,
) -> Response:
    number = _number(last_event_id)
    first = await run_in_threadpool(services.run_streams.look, run, number)
    if first == ([], True):
        return Response(status_code=204)
    if services.run_streams.is_full:
        raise HTTPException(503, "too many clients follow runs; try again later", {"Retry-After": str(RETRY_S)})
    messages = services.run_streams.stream(run, number, first, _validity(services, request))
    return EventSourceResponse(messages, headers={"X-Accel-Buffering": "no"})


def _number(last: str | None) -> int:
    if last is None or not last.strip():
        return 0
    if not (last.isascii() and last.isdigit()):
        raise InvalidInput("Last-Event-ID: send the id of an event, such as 9")
    return int(last)


def _validity(services: Services, request: Request) -> Callable[[], bool]:
    """Returns a check of whether the key or session that opened the stream is still valid."""
    key: Key = request.scope[KEY]
    token = request.cookies.get(cookie_name(request.scope["scheme"]), "")

    def is_valid() -> bool:
        if token and request.headers.get("authorization") is None:
            return services.sessions.find(token) is not None
        now = services.keys.by_id(key.id)
        return now is not None and now.state == "valid"

    return is_valid
