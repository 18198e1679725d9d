"""The door through which devices reach the embedded broker.

The embedded broker forgets everything at its death, also what it has acknowledged and not yet handed on.
So at a stop this door is held first: no device is heard any more, the ingester takes what the broker
still has, and only then does the broker go. And after a start it admits devices only once the ingester
has subscribed: a broker without a subscriber acknowledges a reading and drops it.

The door also tells MQTT 5 from 3.1.1 by the first packet, so that one port serves both (rumqttd needs a
listener for each).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

from zelador.embedded.ports import HOST

log = logging.getLogger(__name__)

ADMIT_S = 30.0  # how long a device is kept waiting for the ingester before it is sent away
HELLO_S = 10.0  # a connection that has not said CONNECT by then is closed
FLUSH_S = 0.05
CONNECT_PACKET = 0x10
MQTT_5 = 5


def protocol_level(start: bytes) -> int | None:
    """The protocol level of the CONNECT packet that begins with `start`; None while more bytes are needed.

    Raises ValueError when it is no CONNECT packet.
    """
    if not start:
        return None
    if start[0] != CONNECT_PACKET:
        raise ValueError("not a CONNECT packet")
    at = 1
    while True:  # the remaining length: one to four bytes
        if at > 4:
            raise ValueError("malformed remaining length")
        if at >= len(start):
            return None
        at += 1
        if start[at - 1] < 0x80:
            break
    if len(start) < at + 2:
        return None
    name_ends = at + 2 + int.from_bytes(start[at : at + 2], "big")
    if name_ends - at > 8:
        raise ValueError("not MQTT")
    return start[name_ends] if len(start) > name_ends else None


class _Side(asyncio.Protocol):
    """One end of a pair; whatever it reads is written to its peer, and it rests while the peer cannot take more."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.transport: asyncio.Transport | None = None
        self.peer: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        held = self._gate.holding and isinstance(self.peer, _Device)
        if self.peer is not None and self.peer.transport is not None and not held:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()
        self.peer = None


class _Device(_Side):
    """The device's end: the first packet tells which listener it needs."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._start = b""
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gate.devices.add(self)
        self._timer = asyncio.get_running_loop().call_later(HELLO_S, transport.close)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            super().data_received(data)
            return
        self._start += data
        try:
            level = protocol_level(self._start)
        except ValueError:
            self._close()
            return
        if level is not None and self._task is None and self.transport is not None:
            if self._timer is not None:
                self._timer.cancel()
            self.transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._open(level))

    async def _open(self, level: int) -> None:
        try:
            await asyncio.wait_for(self._gate.admitted.wait(), ADMIT_S)
        except TimeoutError:
            self._close()
            return
        port = self._gate.v5_port if level >= MQTT_5 else self._gate.v4_port
        loop = asyncio.get_running_loop()
        try:
            _, broker = await loop.create_connection(lambda: _Side(self._gate), HOST, port)
        except OSError:  # the broker is away: the device tries again, as it does with any broker
            self._close()
            return
        if self.transport is None or self.transport.is_closing() or broker.transport is None:
            if broker.transport is not None:
                broker.transport.close()
            return
        self.peer, broker.peer = broker, self
        broker.transport.write(self._start)
        self._start = b""
        if not self._gate.holding:
            self.transport.resume_reading()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._gate.devices.discard(self)
        super().connection_lost(exc)


class Gate:
    """Listens on `port`; an event loop in a thread of its own."""

    def __init__(self, port: int, v5_port: int, v4_port: int) -> None:
        self.port, self.v5_port, self.v4_port = port, v5_port, v4_port
        self.holding = False
        self.admitted = asyncio.Event()
        self.devices: set[_Device] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._server: asyncio.Server | None = None

    def open(self) -> None:
        """Raises OSError when the port is taken."""
        self._thread.start()
        self._call(self._listen())

    def admit(self, yes: bool) -> None:
        """Whether devices are let through to the broker; those that come meanwhile wait."""
        self._loop.call_soon_threadsafe(self.admitted.set if yes else self.admitted.clear)

    def hold(self) -> None:
        """Hears no device any more; what the broker has to say to them still goes out."""
        self._call(self._hold())

    def flush(self, within_s: float) -> None:
        """Waits until the devices have been given what the broker sent them."""
        self._call(self._flush(within_s))

    def close(self) -> None:
        if self._thread.is_alive():
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)
        self._loop.close()

    def _call(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=5.0)

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(lambda: _Device(self), HOST, self.port, backlog=1024)

    async def _hold(self) -> None:
        self.holding = True
        if self._server is not None:
            self._server.close()
        for device in self.devices:
            if device.transport is not None:
                device.transport.pause_reading()

    async def _flush(self, within_s: float) -> None:
        deadline = self._loop.time() + within_s
        await asyncio.sleep(FLUSH_S)  # what the broker is just sending
        while any(d.transport and d.transport.get_write_buffer_size() for d in self.devices):
            if self._loop.time() > deadline:
                return
            await asyncio.sleep(FLUSH_S)

    async def _close(self) -> None:
        await self._hold()
        for device in list(self.devices):
            if device.transport is not None:
                device.transport.close()
        await asyncio.sleep(0)
