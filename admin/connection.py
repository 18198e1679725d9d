"""One HTTP connection of the admin server, with deadlines for headers, body and response."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from admin.connections import Connections, share_of

HEADERS_S = 10.0  # from the connection or the previous response to the end of the headers
BODY_GRACE_S = 10.0  # after this time, a body must arrive at the minimum rate
MIN_BYTES_PER_S = 1_024
MAX_BODY_S = 900.0  # time limit of a body of any size: 256 MiB at 2.4 Mbit/s
READ_STALL_S = 30.0  # a response is aborted if the client reads nothing of it for this time
LINGER_S = 1.0  # how long a rejected body is read and discarded, so that the response arrives before the reset
LINGER_BYTES = 262_144  # how much of it is read

Phase = Literal["headers", "body", "answer", "lingering", "closing"]

SLOW = b"the request took too long to arrive"
BUSY = b"too many connections; try again later"


class Connection(H11Protocol):
    """uvicorn's connection, with deadlines. `limits` is the server's, set by `protocol`."""

    limits: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.share = ""
        self._received = 0
        self.lingering = False
        self._seen: tuple[Phase, object] | None = None  # at the last check: the phase and the request
        self._since = 0.0
        self._before = 0  # bytes received until that check
        self._unsent = 0
        self._sent_at = 0.0  # when the client last read data

    @property
    def phase(self) -> Phase:
        if self.lingering:
            return "lingering"
        if self.transport.is_closing():
            return "closing"
        if self.cycle is None or self.cycle.response_complete:
            return "headers"
        if self.conn.their_state is h11.SEND_BODY and not self.flow.read_paused:
            return "body"
        return "answer"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Transport(transport, self)))
        self.share = share_of(self.client[0]) if self.client else ""
        self._since = self._sent_at = self.loop.time()
        if not self.limits.add(self, self._since):
            transport.write(_plain(503, b"Service Unavailable", BUSY))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.remove(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self.lingering:
            if self._received - self._before > LINGER_BYTES:
                self.transport.abort()
        elif not self.transport.is_closing():
            super().data_received(data)

    def on_response_complete(self) -> None:
        if not self.lingering:
            self._note("headers", self.loop.time())
        super().on_response_complete()

    def end(self, transport: asyncio.Transport) -> None:
        """Closes `transport`. If the client is still sending a rejected body, closes only the write side at first.

        Closing both at once would reset the connection, and the client could lose the response.
        """
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self.conn.their_state is h11.SEND_BODY and not self.lingering and transport.can_write_eof():
            self.lingering = True
            self._note("lingering", self.loop.time())
            self.flow.resume_reading()
            transport.write_eof()
        else:
            transport.close()

    def check(self, now: float) -> None:
        phase = self.phase
        if self._seen != (phase, self.cycle):
            self._note(phase, now)
        waited = now - self._since
        if self._is_unread(now) or (phase == "lingering" and waited > LINGER_S):
            self.transport.abort()
        elif phase == "headers" and waited > HEADERS_S:
            self.drop()
        elif phase == "body":
            wanted = (waited - BODY_GRACE_S) * MIN_BYTES_PER_S
            if self._received - self._before < wanted or waited > MAX_BODY_S:
                self.transport.write(_plain(408, b"Request Timeout", SLOW))
                self.drop()

    def drop(self) -> None:
        """Closes the connection after the client has read the data already written."""
        self._unset_keepalive_if_required()
        self.transport.close()

    @property
    def is_behind(self) -> bool:
        """Returns whether the client has yet to read something that was written."""
        return self.transport.get_write_buffer_size() > 0

    def evict(self) -> None:
        """Aborts the connection."""
        self._unset_keepalive_if_required()
        self.transport.abort()

    def _note(self, phase: Phase, now: float) -> None:
        self._seen, self._since, self._before = (phase, self.cycle), now, self._received

    def _is_unread(self, now: float) -> bool:
        """Returns whether a response is waiting and the client has read nothing of it for too long."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent:
            self._sent_at = now
        self._unsent = unsent
        return unsent > 0 and now - self._sent_at > READ_STALL_S


class _Transport:
    """A transport that leaves closing to its Connection."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._connection.lingering or self._transport.is_closing()

    def close(self) -> None:
        self._connection.end(self._transport)


def protocol(limits: Connections) -> type[asyncio.Protocol]:
    """Returns the protocol class for uvicorn."""
    return type("Connection", (Connection,), {"limits": limits})


def _plain(status: int, reason: bytes, text: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nRetry-After: 5\r\n"
        b"Connection: close\r\n\r\n%s" % (status, reason, len(text), text)
    )
