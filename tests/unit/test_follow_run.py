"""A run is followed over connections that break: no event twice, none lost, and an end in any case."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from command import follow_run
from command.api_client import Api
from command.follow_run import follow
from zelador.errors import NotFound, Unavailable
from zelador.training_queue.event import RunEvent, encode


def message(number: int, kind: str = "step") -> bytes:
    event = encode(RunEvent(number, "2026-11-24T11:58:38Z", kind, f"event {number}"))  # type: ignore[arg-type]
    return b"id: %d\r\nevent: %s\r\ndata: %s\r\n\r\n" % (number, kind.encode(), event)


class Server(BaseHTTPRequestHandler):
    """Sends one part of `script` for each connection; None refuses the connection."""

    script: ClassVar[list[bytes | None]] = []
    asked: ClassVar[list[str]] = []
    state = "running"

    def do_GET(self) -> None:
        if not self.path.endswith("/events"):
            self._send(200, b'{"state": "%s"}' % Server.state.encode())
            return
        Server.asked.append(self.headers.get("Last-Event-ID", ""))
        part = Server.script.pop(0) if Server.script else None
        self._send(503 if part is None else 200, b'{"detail": "away"}' if part is None else part)

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    Server.asked, Server.script, Server.state = [], [], "running"
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Api(f"http://127.0.0.1:{server.server_port}", "key")
        server.shutdown()
        thread.join()


def followed(api: Api) -> tuple[list[int], list[float]]:
    seen, waits = list[int](), list[float]()
    follow(api, "r", lambda event: seen.append(event.number), waits.append)
    return seen, waits


def test_it_continues_after_its_last_event(api: Api) -> None:
    Server.script = [
        b"retry: 2000\n\n" + message(1) + b": still here\n\n" + message(2)[:-9],  # ends in the middle of a message
        None,
        message(2) + message(3),
        message(4, "ended"),
    ]
    seen, waits = followed(api)
    assert seen == [1, 2, 3, 4]
    assert Server.asked == ["", "1", "1", "3"]
    assert len(waits) == 3 and all(0 < wait <= 11 for wait in waits)


def test_a_run_that_ended_during_a_disconnect_ends(api: Api) -> None:
    Server.script, Server.state = [message(1), b""], "done"
    assert followed(api)[0] == [1]


def test_a_server_that_stays_away_is_given_up_with_its_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_run, "GIVE_UP_S", 0.0)
    with pytest.raises(Unavailable, match=r"may still be running there: .*away"):
        followed(api)


@pytest.mark.parametrize("sent", [b"data: {}\n\n", b"data: nonsense\n\n", b"data: " + b"x" * (2 << 20)])
def test_lines_that_are_not_events_are_not_shown(api: Api, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(follow_run, "GIVE_UP_S", 0.0)
    Server.script = [sent]
    with pytest.raises(Unavailable):
        followed(api)


def test_an_unknown_run_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "do_GET", lambda self: self._send(404, b'{"detail": "there is no run"}'))
    with pytest.raises(NotFound, match="there is no run"):
        followed(api)
