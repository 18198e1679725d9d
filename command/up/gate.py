"""The gate: a proxy through which devices reach the embedded broker.

When the embedded broker stops, it loses everything, including acknowledged messages that it has not delivered. So
a stop begins at the gate: it stops reading from devices, the ingester takes what the broker still has, and only then
the broker is stopped. After a start, the gate admits devices only when the ingester has subscribed, because a broker
without a subscriber acknowledges a reading and drops it.

The gate also detects MQTT 5 or 3.1.1 from the first packet, so that one port serves both (rumqttd needs a listener
for each). It refuses devices that use the client id of a service (services do not connect through the gate), and
packets that would crash rumqttd.

On the network it has an Admission: every device shows a password (admission.py), and on rumqttd it is kept to its own
topics (rights_stream.py).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Container, Sequence
from typing import Any

from command.up.admission import Admission, Guest, Records, denial
from command.up.connect_packet import MQTT_5, Connect, read_connect
from command.up.device_stream import DeviceStream, Refused, check_topic
from command.up.ports import HOST, bound_all, max_files
from command.up.rights_stream import RightsStream
from command.up.topic_tap import TopicTap
from zelador.log_limit import LogLimit
from zelador.unread import UnreadTopics

log = logging.getLogger(__name__)

ADMIT_S = 30.0  # how long a device waits for the ingester before it is disconnected
HELLO_S = 10.0  # a connection without a CONNECT packet by then is closed
FLUSH_S = 0.05
LOG_S, LOG_LINES = 60.0, 10  # for refused devices
# rumqttd refuses these ids and more than 10,010 connections, and crashes when a refused client reconnects.
FORBIDDEN_IN_IDS = frozenset("+#$/")
MAX_DEVICES = 10_000
FILES_OF_OTHERS = 128  # file descriptors for everything but devices, which need two each
INVALID_ID_5 = b"\x20\x03\x00\x85\x00"  # CONNACK: client identifier not valid
INVALID_ID_3 = b"\x20\x02\x00\x02"  # CONNACK: identifier rejected


class _Side(asyncio.Protocol):
    """One end of a proxied connection. It writes what it reads to its peer, and pauses while the peer is full."""

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
        is_held = self._gate.holding and isinstance(self.peer, _Device)
        if self.peer is not None and self.peer.transport is not None and not is_held:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        # Close, never reset: if rumqttd cannot write a CONNACK, it crashes when the same client id reconnects.
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()
        self.peer = None


class _Device(_Side):
    """The device's end. The first packet decides which listener it needs."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate)
        self._start = bytearray()
        self._stream: DeviceStream | None = None  # set if the broker needs protection from some packets
        self._rights: RightsStream | None = None  # set if the broker has no access list of its own
        self._tap: TopicTap | None = None  # set while its topics are counted
        self._guest: Guest | None = None
        self._address = ""
        self._stranger = False  # counted as a connection that has not shown a password
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gate.devices.add(self)
        self._timer = asyncio.get_running_loop().call_later(HELLO_S, transport.close)
        if self._gate.admission is not None:
            self._address = str((transport.get_extra_info("peername") or ("unknown",))[0])
            self._stranger = True
            if why := self._gate.admission.welcome(self._address):
                self._refuse(why)
                return
        if self._gate.tls is not None and self.transport is not None:
            self.transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._secure(self._gate.tls, self.transport))

    async def _secure(self, tls: ssl.SSLContext, transport: asyncio.Transport) -> None:
        """Starts TLS. The connection is counted before, so that unfinished handshakes are bounded too."""
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
        if self._start:  # what arrived with the end of the handshake
            self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            if self._tap is not None and not self._tap.feed(data):
                self._tap = None
            try:
                super().data_received(self._checked(data))
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

    def _checked(self, data: bytes) -> bytes:
        """What the broker may receive of this. Raises Refused."""
        if self._stream is not None:
            data = self._stream.feed(data)
        return data if self._rights is None else self._rights.feed(data)

    async def _identify(self, admission: Admission, connect: Connect) -> bool:
        """Checks the password, and puts the CONNECT of the broker in place of the device's."""
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
            self._known()
            admission.entered(found, id(self), self._close)
            if self._gate.fragile:
                self._rights = RightsStream(
                    connect.level, found.rights, lambda why: self._gate.complain(f"{found.name}: {why}")
                )
            return True
        self.transport.write(denial(connect.level))
        self._refuse(found)
        return False

    def _known(self) -> None:
        """Ends the counting as a stranger."""
        if self._stranger and self._gate.admission is not None:
            self._stranger = False
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
            _, broker = await loop.create_connection(lambda: _Side(self._gate), HOST, port)
        except OSError:  # the broker is down: the device reconnects, as with any broker
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
                start = start[:size] + self._checked(start[size:])
            except Refused as error:
                broker.transport.close()
                self._refuse(str(error))
                return
        self.peer, broker.peer = broker, self
        broker.transport.write(start)
        if not self._gate.holding:
            self.transport.resume_reading()

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
        self._known()
        if self._guest is not None and self._gate.admission is not None:
            self._gate.admission.left(self._guest, id(self))
        super().connection_lost(exc)


class Gate:
    """The proxy. It listens on `port`, with an event loop in its own thread."""

    def __init__(
        self,
        port: int,
        v5_port: int,
        v4_port: int,
        reserved: Container[str] = (),
        fragile: bool = False,
        hosts: Sequence[str] = (HOST,),
        tls: ssl.SSLContext | None = None,
        unread: UnreadTopics | None = None,
    ) -> None:
        """Holds the port from now on; `open` listens. Raises OSError if it is in use.

        `reserved` contains the client ids that devices may not use. `fragile`: the broker is rumqttd.
        `unread` counts the messages that no profile reads.
        """
        self._sockets = bound_all(port, hosts)
        self.reserved, self.fragile = reserved, fragile
        self.tls, self.unread = tls, unread
        self.admission: Admission | None = None  # set before it opens, if devices need passwords
        self._max_devices = min(MAX_DEVICES, (max_files() - FILES_OF_OTHERS) // 2)
        self._log_limit = LogLimit(LOG_S, LOG_LINES)
        self.port, self.v5_port, self.v4_port = port, v5_port, v4_port
        self.holding = False
        self.admitted = asyncio.Event()
        self.devices: set[_Device] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._servers: list[asyncio.Server] = []

    def open(self) -> None:
        """Starts listening. Raises OSError if another program was faster, which is possible after a recent restart."""
        self._thread.start()
        self._call(self._listen())

    def objection(self, client_id: str) -> str | None:
        """Why a device may not connect with this id, or None."""
        if client_id in self.reserved:
            return f"{client_id[:80]!r} is the client id of a service"
        if self.fragile and set(client_id) & FORBIDDEN_IN_IDS:
            return f"rumqttd does not accept {client_id[:80]!r}: a client id must not contain + # $ /"
        if len(self.devices) > self._max_devices:
            return f"more than {self._max_devices} devices are connected (each needs two open files: ulimit -n)"
        return None

    def complain(self, why: str) -> None:
        """Logs why a device was refused."""
        if self._log_limit.due():
            log.warning("refused a device: %s%s", why, self._log_limit.take_skipped())

    def admit(self, yes: bool) -> None:
        """Lets devices connect to the broker, or makes new ones wait."""
        self._loop.call_soon_threadsafe(self.admitted.set if yes else self.admitted.clear)

    def use_passwords(self, records: Records) -> None:
        """Uses these passwords of devices from now on."""
        if self.admission is not None:
            self._loop.call_soon_threadsafe(self.admission.update, records)

    def hold(self) -> None:
        """Stops reading from devices. What the broker sends to them is still delivered."""
        if self._thread.is_alive():
            self._call(self._hold())

    def flush(self, within_s: float) -> None:
        """Waits until everything that the broker sent has been written to the devices."""
        if self._thread.is_alive():
            self._call(self._flush(within_s))

    def close(self) -> None:
        if self._thread.is_alive():
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)
        for each in self._sockets:
            each.close()
        self._loop.close()

    def _call(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=5.0)

    async def _listen(self) -> None:
        # Connections inherit it: without it, those in TIME_WAIT would keep the next process from this port.
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server = await self._loop.create_server(lambda: _Device(self), sock=each, backlog=1024)
            self._servers.append(server)

    async def _hold(self) -> None:
        self.holding = True
        for server in self._servers:
            server.close()
        for device in self.devices:
            if device.transport is not None:
                device.transport.pause_reading()

    async def _flush(self, within_s: float) -> None:
        deadline = self._loop.time() + within_s
        await asyncio.sleep(FLUSH_S)  # for what the broker is sending now
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
