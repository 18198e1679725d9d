"""A broker that keeps one session over its connections, checks each acknowledgement, and disconnects on request."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from tests.scripted_broker import HOST, _size
from zelador.link.packets import publish_packet

SESSION_PRESENT = b"\x20\x03\x01\x00\x00"
DUP = 0x08
NEW_SESSION = b"\x20\x03\x00\x00\x00"


@dataclass(frozen=True)
class Cut:
    """When each connection is closed: after some messages sent, or acknowledgements read; `half`: in mid-packet."""

    after_sent: int | None = None
    after_acked: int | None = None
    half: bool = False
    reset: bool = False


class SessionBroker:
    """Gives `messages` (topic, payload) in their order, those that were not acknowledged first on each new connection.

    With `honours`, no more than `window` are out at a time; else all are sent at once. Connection n ends as `cuts[n]`
    says. `faults` has what a client must not do: acknowledge what is not out, out of order, twice, or what is not
    `stored` yet. `first_id(n)` is the packet id that connection n begins with.
    """

    def __init__(
        self,
        messages: list[tuple[str, bytes]],
        window: int,
        honours: bool,
        cuts: list[Cut],
        stored: Callable[[str, bytes], bool],
        first_id: Callable[[int], int],
    ) -> None:
        self._waiting = deque((message, False) for message in messages)
        self._window = window if honours else len(messages)
        self._cuts = cuts
        self._stored = stored
        self._first_id = first_id
        self._listener = socket.create_server((HOST, 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._sock: socket.socket | None = None
        self.faults: list[str] = []
        self.acknowledged: list[tuple[str, bytes]] = []
        self.connections = 0
        self.done = threading.Event()  # all are acknowledged
        self.goodbye = threading.Event()
        self.url = f"mqtt://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SessionBroker:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(60)

    def cut(self) -> None:
        """Closes the connection now. May be called from any thread."""
        if (sock := self._sock) is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock = sock
            cut = self._cuts[self.connections] if self.connections < len(self._cuts) else Cut()
            self.connections += 1
            served = _Served(self, sock, cut, self._first_id(self.connections))
            try:
                served.run()
            except OSError:
                pass
            finally:
                self._waiting.extendleft(reversed([(message, True) for _, message in served.out]))
                if cut.reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()


class _Served:
    """One connection. `out` has what is sent and not acknowledged, by packet id, in order."""

    def __init__(self, broker: SessionBroker, sock: socket.socket, cut: Cut, first_id: int) -> None:
        self._broker, self._sock, self._cut = broker, sock, cut
        self._next_id = first_id
        self._sent = 0
        self._acked = 0
        self.out: deque[tuple[int, tuple[str, bytes]]] = deque()

    def run(self) -> None:
        """Serves until the client or the cut ends the connection. Raises OSError when it breaks."""
        held = b""
        while data := self._sock.recv(65_536):
            held += data
            while (size := _size(held)) is not None and len(held) >= size:
                packet, held = held[:size], held[size:]
                if not self._answer(packet):
                    return

    def _answer(self, packet: bytes) -> bool:
        """Answers a packet; False when the connection must be closed."""
        kind = packet[0] & 0xF0
        if kind == 0x10:
            self._sock.sendall(NEW_SESSION if self._broker.connections == 1 else SESSION_PRESENT)
        elif kind == 0x80:
            self._sock.sendall(b"\x90\x04" + packet[2:4] + b"\x00\x01")
            return self._send()
        elif kind == 0x40:
            self._hear(int.from_bytes(packet[2:4], "big"))
            return self._acked != self._cut.after_acked and self._send()
        elif kind == 0xC0:
            self._sock.sendall(b"\xd0\x00")
        elif kind == 0xE0:
            self._broker.goodbye.set()
            return False
        return True

    def _send(self) -> bool:
        broker = self._broker
        while broker._waiting and len(self.out) < broker._window:
            message, again = broker._waiting.popleft()
            packet = publish_packet(*message, self._next_id)
            if again:
                packet = bytes([packet[0] | DUP]) + packet[1:]
            self.out.append((self._next_id, message))
            self._next_id += 1
            self._sent += 1
            last = self._sent == self._cut.after_sent
            self._sock.sendall(packet[: len(packet) // 2] if last and self._cut.half else packet)
            if last:
                return False
        return True

    def _hear(self, packet_id: int) -> None:
        broker = self._broker
        where = f"connection {broker.connections}: acknowledged {packet_id}"
        if not self.out or self.out[0][0] != packet_id:
            broker.faults.append(f"{where}, out were {[number for number, _ in self.out]}")
            self.out = deque((number, message) for number, message in self.out if number != packet_id)
            return
        _, message = self.out.popleft()
        self._acked += 1
        if not broker._stored(*message):
            broker.faults.append(f"{where} before it was stored")
        broker.acknowledged.append(message)
        if not self.out and not broker._waiting:
            broker.done.set()
