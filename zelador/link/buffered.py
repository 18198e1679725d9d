"""A socket that reads and writes in large pieces, so that paho's small calls cost no system call each.

paho reads a packet byte by byte and sends each packet by itself; through this wrapper both happen in
memory, and the owner of the connection fills and flushes it once a turn.
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
            # We send a turn's packets at once; Nagle's algorithm would hold the last of them back for up to 40 ms.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ── what paho calls ──────────────────────────────────────────────────────────────────────

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes from memory. b"" is the end of the stream; raises BlockingIOError when nothing is held."""
        piece = self._incoming[self._position : self._position + size]
        if not piece and not self._ended:
            raise BlockingIOError
        self._position += len(piece)
        return piece

    def pending(self) -> int:
        """Bytes that `recv` has in memory, or 1 at the end of the stream, which has to be read as well."""
        return len(self._incoming) - self._position or int(self._ended)

    def send(self, data: bytes | bytearray) -> int:
        """Queues `data`; `flush` sends it."""
        self._outgoing.append(bytes(data))
        return len(data)

    def close(self) -> None:
        """paho closes right after it "sent" its DISCONNECT, so what is queued goes out first, if it can."""
        with contextlib.suppress(OSError, ValueError):
            self._sock.settimeout(1.0)
            if self.unflushed():
                self._sock.sendall(b"".join((self._unsent, *self._outgoing)))
        self._outgoing.clear()
        self._unsent = memoryview(b"")
        self._sock.close()

    # ── what the connection calls ────────────────────────────────────────────────────────────

    def fill(self) -> None:
        """Reads once from the kernel (under TLS, all that is decrypted); nothing there is nothing read.

        Raises OSError when the connection is gone, Malformed when what came is not MQTT.
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
        """Sends what the kernel takes; False while something is left. Raises OSError when the connection is gone."""
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
        """Puts what the kernel gave where `recv` finds it."""
        self._incoming = self._incoming[self._position :] + data
        self._position = 0
