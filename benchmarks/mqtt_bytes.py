"""The few MQTT 3.1.1 packets that load and subscriber send, written here once more on purpose.

Neither paho's code nor the product's: an error in a codec that both sides shared could hide itself.
"""

from __future__ import annotations

import socket
import time

PUBACK = b"\x40\x02"  # and the packet id in two bytes
PACKET_IDS = 65_535
PATIENCE_S = 10.0  # for the broker's answer to CONNECT and SUBSCRIBE


def connect(client_id: str) -> bytes:
    """CONNECT with a clean session and no keepalive: a busy client must not be cut off, and sends no pings."""
    return _packet(0x10, _text("MQTT") + b"\x04\x02\x00\x00" + _text(client_id))


def subscribe(topic: str) -> bytes:
    """SUBSCRIBE to one filter at QoS 1, packet id 1."""
    return _packet(0x82, b"\x00\x01" + _text(topic) + b"\x01")


def publish(topic: str, payload: bytes, packet_id: int) -> bytes:
    """PUBLISH at QoS 1."""
    return _packet(0x32, _text(topic) + packet_id.to_bytes(2, "big") + payload)


def open_session(port: int, client_id: str, topic: str | None = None) -> socket.socket:
    """A connected socket on the loopback, subscribed to `topic` if one is given. Raises OSError."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(connect(client_id))
    _expect(sock, b"\x20\x02\x00\x00", "CONNECT")
    if topic is not None:
        sock.sendall(subscribe(topic))
        _expect(sock, b"\x90\x03\x00\x01\x01", "SUBSCRIBE")
    return sock


def _expect(sock: socket.socket, answer: bytes, to: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    got = b""
    while len(got) < len(answer):
        piece = sock.recv(len(answer) - len(got))
        if not piece or time.monotonic() > deadline:
            break
        got += piece
    if got != answer:
        raise ConnectionError(f"the broker answered {to} with {got.hex() or 'nothing'}")


def _packet(first: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, low = divmod(left, 128)
        length.append(low | (0x80 if left else 0))
        if not left:
            return bytes((first,)) + bytes(length) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
