"""The two ends of a connection that goes through the gate: the device's, and the broker's."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from command.up.admission import Admission, Guest, denial
from command.up.connect_packet import MQTT_5, Connect, read_connect
from command.up.device_stream import DeviceStream, Refused, check_topic
from command.up.held_stream import HeldStream
from command.up.ports import HOST
from command.up.rights_stream import RightsStream
from command.up.topic_tap import TopicTap

if TYPE_CHECKING:
    from command.up.gate import Gate

ADMIT_S = 30.0  # how long a device waits for the ingester before it is disconnected
HELLO_S = 10.0  # a connection without a CONNECT packet by then is closed
INVALID_ID_5 = b"\x20\x03\x00\x85\x00"  # CONNACK: client identifier not valid
INVALID_ID_3 = b"\x20\x02\x00\x02"  # CONNACK: identifier rejected


class Side(asyncio.Protocol):
    """One end of a proxied connection. Writes what it reads to its peer, and pauses while the peer is full."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.transport: asyncio.Transport | None = None
        self.peer: Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)
            if self._gate.holding and isinstance(self.peer, Device):
                self._gate.sent += 1

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        is_held = isinstance(self.peer, Device) and self.peer.is_held
        if self.peer is not None and self.peer.transport is not None and not is_held:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        # Close, never reset: if rumqttd cannot write a CONNACK, it crashes when the same client id reconnects.
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()
        self.peer = None


class Device(Side):
    """The device's end. Its first packet decides which listener of the broker it needs."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._start = bytearray()
        self.is_held = False  # True: nothing is read from the device any more
        self._stream: DeviceStream | None = None  # set if the broker needs protection from some packets
        self._acknowledgements: HeldStream | None = None  # set while only these pass
        self._rights: RightsStream | None = None  # set if the broker has no access list of its own
        self._tap: TopicTap | None = None  # set while its topics are counted
        self._guest: Guest | None = None
        self._address = ""
        self._is_stranger = False  # True while it counts towards MAX_STRANGERS
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gate.devices.add(self)
        self._timer = asyncio.get_running_loop().call_later(HELLO_S, transport.close)
        if self._gate.admission is not None:
            self._address = str((transport.get_extra_info("peername") or ("unknown",))[0])
            self._is_stranger = True
            if why := self._gate.admission.welcome(self._address):
                self._refuse(why)
                return
        if self._gate.tls is not None and self.transport is not None:
            self.transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._secure(self._gate.tls, self.transport))

    async def _secure(self, tls: ssl.SSLContext, transport: asyncio.Transport) -> None:
        """Starts TLS. The connection already counts, so that unfinished handshakes are bounded too."""
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(transport, self, tls, server_side=True, ssl_handshake_timeout=HELLO_S)
        except (OSError, ssl.SSLError) as error:
            self._task = None
            self._refuse(f"no TLS connection from {self._address}: {error}")
            return
        self._task = None
        if secured is None or transport.is_closing():
            return
        self.transport = secured
        if self._start:  # arrived with the end of the handshake
            self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            if self._tap is not None and not self._tap.feed(data):
                self._tap = None
            try:
                super().data_received(self._filtered(data))
            except Refused as error:
                self._refuse(str(error))
            return
        self._start += data
        if self._task is not None or self.transport is None:
            return
        try:
            found = read_connect(self._start)
        except ValueError as error:
            self._refuse(str(error))
            return
        if found is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        if why := self._gate.objection(found.client_id):
            self.transport.write(INVALID_ID_5 if found.level >= MQTT_5 else INVALID_ID_3)
            self._refuse(why)
            return
        self.transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._open(found))

    def _filtered(self, data: bytes) -> bytes:
        """Returns what the broker may receive of `data`. Raises Refused."""
        if self._stream is not None:
            data = self._stream.feed(data)
        if self._acknowledgements is not None:
            data = self._acknowledgements.feed(data)
        return data if self._rights is None else self._rights.feed(data)

    async def _identify(self, admission: Admission, connect: Connect) -> bool:
        """Checks the password, and replaces the device's CONNECT with the one for the broker."""
        found = await admission.recognize(connect, self._address)
        if self.transport is None or self.transport.is_closing():
            return False
        if isinstance(found, Guest):
            try:
                packet = admission.packet(found, connect, bytes(self._start[: connect.size]), not self._gate.fragile)
            except ValueError as error:
                self.transport.write(INVALID_ID_5 if connect.level >= MQTT_5 else INVALID_ID_3)
                self._refuse(str(error))
                return False
            self._start[: connect.size] = packet
            self._guest = found
            self._no_longer_stranger()
            admission.entered(found, id(self), self._close)
            if self._gate.fragile:
                self._rights = RightsStream(
                    connect.level, found.rights, lambda why: self._gate.complain(f"{found.name}: {why}")
                )
            return True
        self.transport.write(denial(connect.level))
        self._refuse(found)
        return False

    def _no_longer_stranger(self) -> None:
        """Stops counting the connection as a stranger."""
        if self._is_stranger and self._gate.admission is not None:
            self._is_stranger = False
            self._gate.admission.recognized(self._address)

    async def _open(self, connect: Connect) -> None:
        size = connect.size
        if self._gate.admission is not None:
            before = len(self._start)
            if not await self._identify(self._gate.admission, connect):
                return
            size += len(self._start) - before
        try:
            await asyncio.wait_for(self._gate.admitted.wait(), ADMIT_S)
        except TimeoutError:
            self._close()
            return
        port = self._gate.v5_port if connect.level >= MQTT_5 else self._gate.v4_port
        loop = asyncio.get_running_loop()
        try:
            _, broker = await loop.create_connection(lambda: Side(self._gate), HOST, port)
        except OSError:  # the broker is down; the device reconnects, as with any broker
            self._close()
            return
        if self.transport is None or self.transport.is_closing() or broker.transport is None:
            if broker.transport is not None:
                broker.transport.close()
            return
        start, self._start = bytes(self._start), bytearray()
        if self._gate.unread is not None:
            self._tap = TopicTap(connect.level, self._gate.unread)
            self._tap.feed(start[size:])
        if self._gate.fragile:
            self._stream = DeviceStream(connect.level)
            try:
                check_topic(connect.will_topic or b"")
                start = start[:size] + self._filtered(start[size:])
            except Refused as error:
                broker.transport.close()
                self._refuse(str(error))
                return
        self.peer, broker.peer = broker, self
        broker.transport.write(start)
        self.is_held = self._gate.holding
        if not self.is_held:
            self.transport.resume_reading()

    def hold(self) -> None:
        """Lets nothing pass from the device any more, except, to a broker that forgets, acknowledgements."""
        if self._stream is not None and self._stream.is_between_packets:
            self._acknowledgements = HeldStream()
            return
        self.is_held = True
        if self.transport is not None:
            self.transport.pause_reading()

    def _refuse(self, why: str) -> None:
        self._gate.complain(why)
        self._close()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._gate.devices.discard(self)
        self._no_longer_stranger()
        if self._guest is not None and self._gate.admission is not None:
            self._gate.admission.left(self._guest, id(self))
        super().connection_lost(exc)
