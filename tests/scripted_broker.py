"""A broker with scripted answers, for answers that a real broker never gives."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

HOST = "127.0.0.1"
CONNACK = b"\x20\x03\x00\x00\x00"
Answer = Callable[[bytes], bytes | None]  # a packet of the client to the answer; None: disconnect


class ScriptedBroker:
    """Connection n is answered by `scripts[n]`, the last one by all that follow.

    A script is what the broker says once the client has connected (and subscribed, if it does), and how it
    answers each later packet; `got` has all packets of each connection.
    """

    def __init__(
        self,
        *scripts: tuple[bytes, Answer | None],
        connack: bytes = CONNACK,
        subscribes: bool = True,
        goodbye: bytes = b"",
    ):
        """`goodbye` is sent before it disconnects."""
        self._scripts = scripts
        self._connack = connack
        self._goodbye = goodbye
        self._subscribes = subscribes
        self._listener = socket.create_server((HOST, 0))
        self.got: list[list[bytes]] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"mqtt://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> ScriptedBroker:
        self._start(self._accept)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(sock)
            self.got.append([])
            script = self._scripts[min(len(self.got), len(self._scripts)) - 1]
            self._start(self._serve, sock, self.got[-1], *script)

    def _serve(self, sock: socket.socket, got: list[bytes], says: bytes, answer: Answer | None) -> None:
        held, opened = b"", False
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(65_536):
                held += data
                while (size := _size(held)) is not None and len(held) >= size:
                    packet, held = held[:size], held[size:]
                    got.append(packet)
                    kind = packet[0] & 0xF0
                    if kind == 0x10:
                        sock.sendall(self._connack)
                    elif kind == 0x80:
                        sock.sendall(b"\x90\x04" + packet[2:4] + b"\x00\x01")
                    elif answer is not None:
                        if (said := answer(packet)) is None:
                            sock.sendall(self._goodbye)
                            return
                        sock.sendall(said)
                    if not opened and kind == (0x80 if self._subscribes else 0x10):
                        opened = True
                        sock.sendall(says)


def _size(held: bytes) -> int | None:
    """The size of the first packet with its fixed header; None while its length is incomplete."""
    length = 0
    for at in range(1, min(len(held), 5)):
        length |= (held[at] & 0x7F) << 7 * (at - 1)
        if held[at] < 0x80:
            return at + 1 + length
    return None
