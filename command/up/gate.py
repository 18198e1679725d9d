"""The gate: a proxy through which devices reach the embedded broker.

When the embedded broker stops, it loses everything, including acknowledged messages that it has not delivered. So a
stop begins at the gate: it takes no more readings from devices, the ingester takes what the broker still has,
subscribers take the predictions, and only then the broker is stopped. After a start, the gate admits devices only when
the ingester has subscribed, because a broker without a subscriber acknowledges a reading and drops it.

The gate also detects MQTT 5 or 3.1.1 from the first packet, so that one port serves both (rumqttd needs a listener
for each). It refuses devices that use the client id of a service (services do not connect through the gate), and
packets that would crash rumqttd.

On the network it has an Admission: every device needs a password (admission.py), and on rumqttd each device is limited
to its own topics (rights_stream.py). gate_connection.py handles a single connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Container, Sequence
from typing import Any

from command.up.admission import Admission, Records
from command.up.gate_connection import Device
from command.up.ports import HOST, bound_all, max_files
from zelador.log_limit import LogLimit
from zelador.unread import UnreadTopics

log = logging.getLogger(__name__)

FLUSH_S = 0.05  # without a message from the broker, which then has sent everything
LOG_S, LOG_LINES = 60.0, 10  # for refused devices
# rumqttd refuses these ids and more than 10,010 connections, and crashes when a refused client reconnects.
FORBIDDEN_IN_IDS = frozenset("+#$/")
MAX_DEVICES = 10_000
FILES_OF_OTHERS = 128  # file descriptors for everything but devices, which need two each


class Gate:
    """The proxy. Listens on `port`, with an event loop on a thread of its own."""

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
        """Binds the port, on which `open` listens. Raises OSError if it is in use.

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
        self.sent = 0  # chunks from the broker to devices since the hold
        self.admitted = asyncio.Event()
        self.devices: set[Device] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._servers: list[asyncio.Server] = []

    def open(self) -> None:
        """Starts listening. Raises OSError if another program was faster, which is possible after a recent restart."""
        self._thread.start()
        self._call(self._listen())

    def objection(self, client_id: str) -> str | None:
        """Returns why a device may not connect with this client id; None if it may."""
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
        """Replaces the passwords of devices."""
        if self.admission is not None:
            self._loop.call_soon_threadsafe(self.admission.update, records)

    def hold(self) -> None:
        """Stops taking readings from devices. What the broker sends to them is still delivered."""
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
        # Connections inherit SO_REUSEADDR. Without it, those in TIME_WAIT would block the port for the next process.
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server = await self._loop.create_server(lambda: Device(self), sock=each, backlog=1024)
            self._servers.append(server)

    async def _hold(self) -> None:
        self.holding = True
        for server in self._servers:
            server.close()
        for device in self.devices:
            device.hold()

    async def _flush(self, within_s: float) -> None:
        deadline = self._loop.time() + within_s
        sent = -1
        while sent != self.sent or any(d.transport and d.transport.get_write_buffer_size() for d in self.devices):
            if self._loop.time() > deadline:
                return
            sent = self.sent
            await asyncio.sleep(FLUSH_S)  # the broker may be sending

    async def _close(self) -> None:
        await self._hold()
        for device in list(self.devices):
            if device.transport is not None:
                device.transport.close()
        await asyncio.sleep(0)
