"""Alarms reach a webhook, or are counted as lost; a webhook in trouble disturbs nobody."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inference.webhook import signature, webhook_event
from tests.device_alarm import put_in_alarm
from tests.keepers import Subscriber, keeping, states
from zelador.alarms.activity import read_activity
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.settings import AlarmSettings, Settings


@pytest.mark.parametrize(
    ("before", "state", "is_sent"),
    [
        ("ok", "suspect", False),
        ("suspect", "ok", False),
        ("suspect", "alarm", True),
        ("alarm", "acknowledged", False),
        ("acknowledged", "ok", True),
        ("acknowledged", "alarm", False),  # an undo
        ("alarm", "shelved", False),
        ("shelved", "alarm", True),
        ("shelved", "ok", True),
        ("alarm", "retired", False),
        ("retired", "ok", False),
        ("unknown", "suspect", True),
    ],
)
def test_which_changes_are_sent(before: str, state: str, is_sent: bool) -> None:
    """A receiver that was told of an alarm is told of its end, also if the device was shelved in between."""
    fields = {"device": "press", "from": before, "to": state, "at": "1795514400000"}
    sent = webhook_event("1-0", {name.encode(): value.encode() for name, value in fields.items()})
    assert (sent is not None) == is_sent


TROUBLES = ("slow", "drip", "redirect", "500", "dead", "garbage")


@pytest.fixture
def plant(settings: Settings, mark: str) -> Settings:
    """Settings with state topics that only this test uses."""
    topics = settings.topics.model_copy(update={"state": f"{mark}/{{device_id}}/state"})
    return settings.model_copy(update={"topics": topics})


class Hook:
    """A server that accepts the webhook's requests, after `failures` answers of 503."""

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.asked = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.asked += 1
                if hook.asked > failures:
                    hook.taken.append((dict(self.headers), body))
                self.send_response(200 if hook.asked > failures else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_webhook_requests_are_signed_and_repeated_until_accepted(
    plant: Settings, eventually: Callable[..., None]
) -> None:
    hook = Hook(failures=2)
    alarm = AlarmSettings(webhook_url=hook.url, webhook_secret="secret")
    plant = plant.model_copy(update={"alarm": alarm})
    client, keys = connect_redis(plant.redis), Keys(plant.redis.prefix)
    try:
        with keeping(plant):
            eventually(lambda: client.get(keys.webhook_at) == b"0-0 0", "the start of the webhook")
            put_in_alarm(plant, "press")
            states(plant).act("press", "acknowledge", "ana")
            eventually(lambda: len(hook.taken) == 1, "the alarm")
        ((headers, body),) = hook.taken
        found = json.loads(body)
        assert (found["device_id"], found["state"], found["label"]) == ("press", "alarm", "yes")
        at, _, digest = headers["X-Zelador-Signature"].removeprefix("t=").partition(",v1=")
        assert digest == hmac.new(b"secret", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["X-Zelador-Signature"] == signature("secret", int(at), body)
        assert hook.asked == 3
        with keeping(plant, "two"):
            put_in_alarm(plant, "lathe")
            eventually(lambda: len(hook.taken) == 2, "the next one, from another worker")
        assert [json.loads(body)["device_id"] for _, body in hook.taken] == ["press", "lathe"]
    finally:
        hook.close()


def test_changes_that_the_webhook_never_got_are_counted_and_logged(
    plant: Settings, eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """The stream of changes is bounded, and an alarm that waited for too long is given up."""
    hook = Hook()
    plant = plant.model_copy(update={"alarm": AlarmSettings(webhook_url=hook.url, webhook_keep_s=3_600)})
    client, keys = connect_redis(plant.redis), Keys(plant.redis.prefix)

    def change(number: int, ago_s: int = 0) -> None:
        at = str(now_ms() - ago_s * 1000)
        client.xadd(keys.device_events, {"device": f"d{number}", "from": "ok", "to": "alarm", "at": at})

    try:
        with keeping(plant):
            eventually(lambda: client.get(keys.webhook_at) == b"0-0 0", "the start of the webhook")
            change(0)
            eventually(lambda: len(hook.taken) == 1, "the first")
        for number in range(1, 141):
            change(number)
        change(141, ago_s=7_200)
        client.xtrim(keys.device_events, maxlen=120, approximate=False)
        with keeping(plant, "two"):
            eventually(lambda: client.get(keys.webhook_at).split()[1] == b"142", "what is left")  # type: ignore[union-attr]
        devices = [json.loads(body)["device_id"] for _, body in hook.taken]
        assert devices == ["d0", *(f"d{number}" for number in range(22, 141))]
        assert read_activity(client, plant.redis.prefix).webhook_lost == 21 + 1
        assert "the oldest 21 changes" in caplog.text and "an alarm of d141 was not sent" in caplog.text
    finally:
        hook.close()


@pytest.mark.parametrize("answer", TROUBLES if os.environ.get("TEST_FAULTS") else TROUBLES[:2])
def test_a_webhook_in_trouble_stops_nothing_else(
    plant: Settings, mark: str, answer: str, eventually: Callable[..., None]
) -> None:
    asked = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.getsockname()[1]}/hook"
    said = {
        "500": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        "redirect": f"HTTP/1.1 307 There\r\nLocation: {url}/other\r\nContent-Length: 0\r\n\r\n".encode(),
        "garbage": b"\0\1\2\n\n",
    }
    paths: list[bytes] = []
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        """Sends a header byte by byte, each well within the time limit."""
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not ended.wait(0.05):
                connection.sendall(b".")

    def serve() -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            while True:
                connection = held.enter_context(server.accept()[0])
                paths.append(connection.recv(65_536).split()[1])
                asked.set()
                if answer == "drip":
                    drip(connection)
                if answer in said:
                    connection.sendall(said[answer])
                    connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    if answer == "dead":
        stop_listening(server)
        asked.set()
    client, keys = connect_redis(plant.redis), Keys(plant.redis.prefix)
    client.set(keys.webhook_at, "0-0 0")
    plant = plant.model_copy(update={"alarm": AlarmSettings(webhook_url=url, webhook_timeout_s=0.5, silent_s=600.0)})
    put_in_alarm(plant, "press")
    try:
        with keeping(plant):
            heard = Subscriber(plant, f"{mark}/+/state")
            eventually(asked.is_set, "the request")
            put_in_alarm(plant, "lathe")
            eventually(lambda: heard.state(f"{mark}/lathe/state").get("state") == "alarm", "the state of another")
            states(plant).act("press", "acknowledge", "ana")
            eventually(lambda: heard.state(f"{mark}/press/state").get("state") == "acknowledged", "an act")
            if answer in ("slow", "drip"):
                eventually(lambda: len(paths) > 1, "the request once more")
        assert client.get(keys.webhook_at) == b"0-0 0", "it waits to be sent"
        assert set(paths) <= {b"/hook"}
    finally:
        ended.set()
        stop_listening(server)
        thread.join(60)


def stop_listening(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)
    server.close()
