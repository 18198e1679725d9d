"""Follows a run on another machine by its server-sent events, and reconnects if the connection is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import uniform
from urllib.parse import quote

from command.api_client import Api
from zelador.errors import NotFound, Unavailable
from zelador.retry import backoff
from zelador.training_queue.event import RunEvent, decode
from zelador.undecodable import UNDECODABLE

FIRST_S, CAP_S = 0.5, 10.0  # between two connections
GIVE_UP_S = 600.0  # without an event or an answer


def follow(api: Api, run: str, show: Callable[[RunEvent], None], wait: Callable[[float], None] = time.sleep) -> None:
    """Shows each event once, until the run has ended. Raises NotFound; Unavailable if the API does not come back."""
    number, attempt, heard = 0, 0, time.monotonic()
    while True:
        trouble = "it ends the connection"
        try:
            for event in events(api, run, number):
                number, attempt, heard = event.number, 0, time.monotonic()
                show(event)
                if event.kind == "ended":
                    return
            if api.call("GET", _path(run)).document.get("state") not in ("queued", "running"):
                return  # the run ended while there was no connection
            heard = time.monotonic()
        except NotFound:
            raise
        except Unavailable as error:
            trouble = str(error)
        if time.monotonic() - heard > GIVE_UP_S:
            raise Unavailable(f"run {run} can no longer be followed, and may still be running there: {trouble}")
        attempt += 1
        wait(backoff(attempt, first=FIRST_S, cap=CAP_S) + uniform(0, 0.1))


def events(api: Api, run: str, after: int) -> Iterator[RunEvent]:
    """Yields the events with a number above `after`, as they arrive, until the connection ends."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(after)} if after else {})}
    data: list[bytes] = []
    for line in api.lines(f"{_path(run)}/events", headers):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            try:
                yield decode(b"\n".join(data))
            except UNDECODABLE as error:
                raise Unavailable(f"{api.where} sends invalid events ({error})") from None
            data = []


def _path(run: str) -> str:
    return f"/v1/runs/{quote(run, safe='')}"
