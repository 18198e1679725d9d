"""Decides which devices may connect to a gate on the network, and with which rights."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from admin.access.attempts import Attempts
from command.up.connect_packet import MQTT_5, Connect, rewritten
from command.up.rights import Rights, Templates
from operations.device_passwords import SERVICE_USER, DevicePassword, matches

MAX_DELAY_S = 5.0  # before a wrong password is answered; the delay grows with each attempt from an address
MAX_STRANGERS = 500  # connections that have not shown a password yet
MAX_STRANGERS_OF_ONE = 50  # of these, from one address
MAX_OF_ONE_DEVICE = 16  # connections with the same name; a further one ends the oldest
MAX_ID_BYTES = 1_024
SEPARATOR = "~"  # not allowed in names of devices
DENIED_5 = b"\x20\x03\x00\x87\x00"  # CONNACK: not authorized
DENIED_3 = b"\x20\x02\x00\x05"

Records = Mapping[str, DevicePassword]  # by name


@dataclass(frozen=True, slots=True)
class Guest:
    """A device or reader with the right password."""

    name: str
    rights: Rights
    reader: bool


class Admission:
    """The passwords and connections of devices. Used only from the gate's event loop, except for the constructor."""

    def __init__(self, rules: Templates, records: Records, complain: Callable[[str], None]) -> None:
        self._rules = rules
        self._records = dict(records)
        self._complain = complain
        self._attempts = Attempts(MAX_DELAY_S, "passwords of devices")
        self._strangers: Counter[str] = Counter()
        self._connected: dict[
            str, OrderedDict[int, Callable[[], None]]
        ] = {}  # name to functions that close connections

    # ── before a password was shown ──────────────────────────────────────────────────────────

    def welcome(self, address: str) -> str | None:
        """Counts a new connection until `recognized`. Returns why it may not stay; None if it may."""
        self._strangers[address] += 1
        if self._strangers[address] > MAX_STRANGERS_OF_ONE:
            return f"more than {MAX_STRANGERS_OF_ONE} connections from {address} without a password"
        if self._strangers.total() > MAX_STRANGERS:
            return f"more than {MAX_STRANGERS} connections without a password"
        return None

    def recognized(self, address: str) -> None:
        """Stops counting a connection, which has shown a password or has ended."""
        self._strangers[address] -= 1
        if self._strangers[address] <= 0:
            del self._strangers[address]

    async def recognize(self, connect: Connect, address: str) -> Guest | str:
        """Returns the device that connects, or why it may not. Each further wrong password is answered later."""
        if connect.username is None:
            return f"a connection from {address} without user name and password"
        record = self._records.get(connect.username)
        if (
            record is not None
            and record.name != SERVICE_USER
            and connect.password is not None
            and matches(record.hash, connect.password)
        ):
            return Guest(record.name, self._rules.of(record.name, record.reader, record.behind), record.reader)
        delay_s = self._attempts.failed(address)
        if delay_s and not self._attempts.crowded:
            self._attempts.delayed += 1
            try:
                await asyncio.sleep(delay_s)
            finally:
                self._attempts.delayed -= 1
        return f"a wrong password for {connect.username[:80]!r} from {address}"

    # ── with a password ──────────────────────────────────────────────────────────────────────

    def packet(self, guest: Guest, connect: Connect, packet: bytes, for_mosquitto: bool) -> bytes:
        """Returns the CONNECT packet for the broker. Raises ValueError if the client id is too long.

        The device's name is added to the client id, so that no device takes over another's session. A will on a topic
        on which the device may not publish is left out.
        """
        if len(connect.client_id.encode()) > MAX_ID_BYTES:
            raise ValueError(f"a client id of {guest.name} that is longer than {MAX_ID_BYTES} bytes")
        keep_will = connect.will_topic is None or guest.rights.may_publish(connect.will_topic.decode())
        if not keep_will:
            self._complain(f"left out the will of {guest.name}: its topic is not one of its readings")
        # A reader's session has the reader's subscriptions, so a device of the same name must not resume it.
        before = SEPARATOR if guest.reader else ""
        own_id = f"{before}{guest.name}{SEPARATOR}{connect.client_id}" if connect.client_id else ""
        return rewritten(packet, own_id, keep_will, keep_login=for_mosquitto)

    def entered(self, guest: Guest, connection: int, close: Callable[[], None]) -> None:
        """Registers a connection. Beyond the limit, closes the device's oldest one."""
        mine = self._connected.setdefault(guest.name, OrderedDict())
        mine[connection] = close
        if len(mine) > MAX_OF_ONE_DEVICE:
            self._complain(f"{guest.name} has more than {MAX_OF_ONE_DEVICE} connections: its oldest is closed")
            next(iter(mine.values()))()

    def left(self, guest: Guest, connection: int) -> None:
        mine = self._connected.get(guest.name)
        if mine is not None:
            mine.pop(connection, None)
            if not mine:
                del self._connected[guest.name]

    def update(self, records: Records) -> None:
        """Replaces the passwords. Closes connections whose password was removed or replaced."""
        changed = [name for name, record in self._records.items() if records.get(name) != record]
        self._records = dict(records)
        for name in changed:
            for close in list(self._connected.get(name, {}).values()):
                close()


def denial(level: int) -> bytes:
    """Returns the CONNACK for a device without the right password."""
    return DENIED_5 if level >= MQTT_5 else DENIED_3
