"""Handlers of urllib that limit the time of a whole request. Its own `timeout` limits each single read: an answer that
comes byte by byte could take days.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any


class WholeLimit:
    """Ends the connection of the request that runs inside `limited`. For one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None  # a duplicate: TLS takes the socket itself over
        self._is_late = False

    @property
    def handlers(self) -> tuple[urllib.request.BaseHandler, urllib.request.BaseHandler]:
        """The handlers for `urllib.request.build_opener`."""
        return _Http(self), _Https(self)

    @contextlib.contextmanager
    def limited(self, limit_s: float) -> Iterator[None]:
        """Raises TimeoutError if the block takes longer."""
        self._is_late = False
        timer = threading.Timer(limit_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not self._is_late:
                raise
        finally:
            timer.cancel()
            with self._lock:
                ended, self._socket = self._socket, None
            if ended is not None:
                ended.close()
        if self._is_late:
            raise TimeoutError(f"it did not answer within {limit_s:g} s")

    def connect(self, *arguments: Any, **more: Any) -> socket.socket:
        made = socket.create_connection(*arguments, **more)
        with self._lock:
            self._socket = made.dup()
        return made

    def _end(self) -> None:
        with self._lock:
            self._is_late = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, limit: WholeLimit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **more: Any) -> http.client.HTTPConnection:
            return _with(self._limit, http.client.HTTPConnection(host, **more))

        return self.do_open(connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, limit: WholeLimit) -> None:
        super().__init__()
        self._limit = limit

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **more: Any) -> http.client.HTTPConnection:
            return _with(self._limit, http.client.HTTPSConnection(host, **more))

        return self.do_open(connection, req)


def _with(limit: WholeLimit, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
    connection._create_connection = limit.connect  # type: ignore[attr-defined]
    return connection
