"""Serves /metrics, /healthz and /readyz of a worker if a port is set, for Prometheus and container platforms."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from zelador.errors import Unavailable
from zelador.settings import MetricsSettings

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0  # of a whole request: a slow sender cannot extend it
MAX_CONNECTIONS = 16  # each has a thread; another one closes the oldest that has asked nothing, else the oldest
NO_FILES_S = 0.5  # pause when no file descriptor is left
NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
LOG_EVERY_S = 60.0
HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)  # on Linux also of a client that only ended its sending


def serve(
    settings: MetricsSettings,
    registry: CollectorRegistry,
    trouble: Callable[[], str | None],
    remark: Callable[[], str | None] = lambda: None,
) -> Callable[[], None]:
    """Serves in a thread; returns a function that stops it. Raises Unavailable if the port is taken.

    /readyz is 503 while `trouble` returns a reason. A result of `remark` is added to the text for "ready".
    """
    if settings.port is None:
        return lambda: None

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S
        server_version = "zelador"
        sys_version = ""

        def parse_request(self) -> bool:
            server.note_asked(self.connection)
            return super().parse_request()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif path == "/healthz":
                self._answer(200, b'{"status": "ok"}')
            elif path == "/readyz":
                found = trouble()
                beside = f"processing readings, but: {note}" if (note := remark()) else "processing readings"
                answer = {"ready": found is None, "detail": found or beside}
                self._answer(200 if found is None else 503, json.dumps(answer, ensure_ascii=False).encode())
            else:
                self._answer(404, b'{"detail": "the paths are /metrics, /healthz and /readyz"}')

        def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            log.debug(format, *args)

    try:
        server = _Server((settings.host, settings.port), Handler)
    except OSError as error:
        raise Unavailable(
            f"{settings.host}:{settings.port} cannot be opened ({error.strerror}); "
            "set ZELADOR_METRICS__PORT to another port, and ZELADOR_METRICS__HOST to an address of this machine"
        ) from None
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close


class _Server(ThreadingHTTPServer):
    """Uses one thread for each connection, at most MAX_CONNECTIONS, each for at most TIMEOUT_S."""

    request_queue_size = 64
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self._open: dict[socket.socket, float] = {}  # and since when, oldest first
        self._asking: set[socket.socket] = set()  # those of them with a line of a request
        self._lock = threading.Lock()
        self._said_at = -LOG_EVERY_S
        super().__init__(*arguments)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in NO_FILES:  # the socket stays ready: without a pause this would be a busy loop
                self._say("cannot accept connections for probes: %s", error)
                time.sleep(NO_FILES_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            others = sorted(self._open, key=self._asks)  # the oldest of the silent ones first
            self._open[request] = time.monotonic()
        surplus = others[: max(0, len(others) + 1 - MAX_CONNECTIONS)]
        if surplus:
            self._say("more than %d connections for probes: the oldest are closed", MAX_CONNECTIONS)
        self._end(surplus)
        super().process_request(request, client_address)

    def note_asked(self, request: socket.socket) -> None:
        with self._lock:
            if request in self._open:
                self._asking.add(request)

    def _asks(self, request: socket.socket) -> bool:
        """True if a request has come, also if its thread has not read it yet."""
        if request in self._asking:
            return True
        poll = select.poll()
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            poll.register(request, select.POLLIN | HUNG_UP)
        return [events for _, events in poll.poll(0)] == [select.POLLIN]

    def service_actions(self) -> None:
        """Called twice a second by `serve_forever`."""
        latest = time.monotonic() - TIMEOUT_S
        with self._lock:
            late = [request for request, since in self._open.items() if since < latest]
        self._end(late)

    def shutdown_request(self, request: Any) -> None:
        self._forget(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a probe was interrupted", exc_info=True)

    def _end(self, requests: list[socket.socket]) -> None:
        """Wakes the threads of these connections, which then close them."""
        for request in requests:
            self._forget(request)
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def _forget(self, request: socket.socket) -> None:
        with self._lock:
            self._open.pop(request, None)
            self._asking.discard(request)

    def _say(self, message: str, *arguments: object) -> None:
        if time.monotonic() - self._said_at >= LOG_EVERY_S:
            self._said_at = time.monotonic()
            log.warning(message, *arguments)
