"""The MQTT 3.1.1 packets that load and subscriber send.

An independent implementation on purpose: an error in a codec shared with the product would not be noticed.
"""

from __future__ import annotations

import socket
import time

PUBACK = b"\x40\x02"  # followed by the packet id in two bytes
PACKET_IDS = 65_535
PATIENCE_S = 10.0  # time limit for the broker's reply to CONNECT and SUBSCRIBE


def connect(client_id: str) -> bytes:
    """CONNECT with a clean session and no keepalive: the clients send no pings and must not be disconnected."""
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


def _expect(sock: socket.socket, expected: bytes, request: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    reply = b""
    while len(reply) < len(expected):
        piece = sock.recv(len(expected) - len(reply))
        if not piece or time.monotonic() > deadline:
            break
        reply += piece
    if reply != expected:
        raise ConnectionError(f"the broker replied to {request} with {reply.hex() or 'nothing'}")


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
