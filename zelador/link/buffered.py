"""A socket that reads and writes in large chunks, so that paho's small calls do not each cost a system call.

paho reads packets byte by byte and sends each packet separately. With this wrapper both happen in memory, and the
owner of the connection fills and flushes it once a turn.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

CHUNK = 65_536


class BufferedSocket:
    """Wraps a connected (TLS) socket; non-blocking once paho has called `setblocking(False)`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._incoming = b""
        self._position = 0
        self._ended = False
        self._outgoing: list[bytes] = []
        self._unsent: memoryview = memoryview(b"")
        with contextlib.suppress(OSError):
            # All packets of a turn are sent at once; Nagle's algorithm would delay the last one by up to 40 ms.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ── called by paho ───────────────────────────────────────────────────────────────────────

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes from memory. b"" is the end of the stream. Raises BlockingIOError if there is no data."""
        piece = self._incoming[self._position : self._position + size]
        if not piece and not self._ended:
            raise BlockingIOError
        self._position += len(piece)
        return piece

    def pending(self) -> int:
        """Bytes in memory for `recv`, or 1 at the end of the stream, which must be read too."""
        return len(self._incoming) - self._position or int(self._ended)

    def send(self, data: bytes | bytearray) -> int:
        """Queues `data`; `flush` sends it."""
        self._outgoing.append(bytes(data))
        return len(data)

    def close(self) -> None:
        """Flushes first if possible, because paho closes right after it queued its DISCONNECT."""
        with contextlib.suppress(OSError, ValueError):
            self._sock.settimeout(1.0)
            if self.unflushed():
                self._sock.sendall(b"".join((self._unsent, *self._outgoing)))
        self._outgoing.clear()
        self._unsent = memoryview(b"")
        self._sock.close()

    # ── called by the connection ─────────────────────────────────────────────────────────────

    def fill(self) -> None:
        """Reads once from the kernel (with TLS, everything that is decrypted). Does nothing if there is no data.

        Raises OSError if the connection is lost, Malformed if the data is not MQTT.
        """
        while not self._ended:
            try:
                data = self._sock.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if data:
                self._take(data)
            else:
                self._ended = True
            if not isinstance(self._sock, ssl.SSLSocket) or not self._sock.pending():
                return

    def unflushed(self) -> bool:
        return bool(self._unsent or self._outgoing)

    def flush(self) -> bool:
        """Sends as much as the kernel accepts; False if data is left. Raises OSError if the connection is lost."""
        if self._outgoing:
            self._unsent = memoryview(b"".join((self._unsent, *self._outgoing)))
            self._outgoing.clear()
        while self._unsent:
            try:
                sent = self._sock.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            self._unsent = self._unsent[sent:]
        return True

    def _take(self, data: bytes) -> None:
        """Stores received data for `recv`."""
        self._incoming = self._incoming[self._position :] + data
        self._position = 0
