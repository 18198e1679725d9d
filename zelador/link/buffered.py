"""A socket that reads and writes in large pieces, so that paho's small calls cost no system call each.

paho reads a packet byte by byte and sends each packet by itself; through this wrapper both happen in
memory, and the owner of the connection flushes once a batch.
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
        self._outgoing: list[bytes] = []
        self._unsent = b""

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes from memory; one large read when it is empty. b"" is the end of the stream.

        Raises BlockingIOError (ssl.SSLWantReadError under TLS) when nothing has come.
        """
        if self._position >= len(self._incoming):
            self._incoming = self._sock.recv(CHUNK)
            self._position = 0
        piece = self._incoming[self._position : self._position + size]
        self._position += len(piece)
        return piece

    def pending(self) -> int:
        """Bytes that can be had without asking the kernel; select does not see them."""
        held = len(self._incoming) - self._position
        if isinstance(self._sock, ssl.SSLSocket):
            held += self._sock.pending()
        return held

    def send(self, data: bytes | bytearray) -> int:
        """Queues `data`; `flush` sends it."""
        self._outgoing.append(bytes(data))
        return len(data)

    def unflushed(self) -> bool:
        return bool(self._unsent or self._outgoing)

    def flush(self) -> bool:
        """Sends what the kernel takes; False while something is left. Raises OSError when the connection is gone."""
        if self._outgoing:
            self._unsent += b"".join(self._outgoing)
            self._outgoing.clear()
        while self._unsent:
            try:
                sent = self._sock.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            self._unsent = self._unsent[sent:]
        return True

    def close(self) -> None:
        """paho closes right after it "sent" its DISCONNECT, so what is queued goes out first, if it can."""
        with contextlib.suppress(OSError, ValueError):
            self._sock.settimeout(1.0)
            if self._outgoing or self._unsent:
                self._sock.sendall(self._unsent + b"".join(self._outgoing))
        self._outgoing.clear()
        self._unsent = b""
        self._sock.close()
