"""Passes the passwords that `zelador devices` stores on to the gate and to Mosquitto, while `up` runs."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from command.up.admission import Records
from command.up.gate import Gate
from command.up.home import Home, write_private
from command.up.listen import Listen, load_certificate
from command.up.rights import Templates, access_list
from command.up.servers import ACCESS_LIST, PASSWORDS
from operations.device_passwords import SERVICE_USER, file_of, hashed, read
from zelador.errors import Corrupt, InvalidInput

log = logging.getLogger(__name__)

EVERY_S = 0.5  # between two checks of the files
BROKER_S = 0.5  # for Mosquitto to read its files again, before the gate accepts a new password

Seen = tuple[tuple[int, int, int] | None, ...]


class DeviceAccess:
    """The passwords of one home. Used only from the supervisor's thread."""

    def __init__(self, home: Home, rules: Templates, listen: Listen, tls: ssl.SSLContext | None) -> None:
        """Writes Mosquitto's files. Raises Corrupt if the stored passwords cannot be read."""
        self._home, self._rules, self._listen, self._tls = home, rules, listen, tls
        self._path = file_of(home.path)
        self._service = f"{SERVICE_USER}:{hashed(home.service_password())}"
        self._seen = _state(self._path)
        self._certificate_seen = self._certificate_state()
        self._next = 0.0
        self._pending_at: float | None = None  # when the gate gets the new passwords
        self.records = self._read()
        self._write()

    def step(self, gate: Gate, reload_broker: Callable[[], None]) -> None:
        """Checks the files, at most every EVERY_S."""
        now = time.monotonic()
        if self._pending_at is not None and now >= self._pending_at:
            self._pending_at = None
            gate.use_passwords(self.records)
        if now < self._next:
            return
        self._next = now + EVERY_S
        if (seen := _state(self._path)) != self._seen:
            self._seen = seen
            self._take(gate, reload_broker, now)
        if (seen := self._certificate_state()) != self._certificate_seen:
            self._certificate_seen = seen
            self._renew()

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _take(self, gate: Gate, reload_broker: Callable[[], None], now: float) -> None:
        try:
            found = self._read()
        except Corrupt as error:
            log.error("the passwords of devices stay as they were: %s", error)
            return
        before, self.records = self.records, found
        self._write()
        reload_broker()
        gate.use_passwords({name: record for name, record in before.items() if found.get(name) == record})
        self._pending_at = now + BROKER_S
        log.info("%d devices and readers have a password", len(found))

    def _renew(self) -> None:
        """Loads a renewed certificate for new connections."""
        if self._tls is None or self._listen.certificate is None or self._listen.key is None:
            return
        try:
            load_certificate(self._tls, self._listen.certificate, self._listen.key)
            log.info("new connections use the renewed certificate in %s", self._listen.certificate)
        except InvalidInput as error:
            log.error("the previous certificate stays in use: %s", error)

    def _read(self) -> Records:
        return {each.name: each for each in read(self._path)}

    def _write(self) -> None:
        lines = [self._service, *(f"{name}:{record.hash}" for name, record in self.records.items())]
        write_private(self._home.path / ACCESS_LIST, access_list(self._rules, self.records.values()))
        write_private(self._home.path / PASSWORDS, "\n".join(lines) + "\n")

    def _certificate_state(self) -> Seen:
        return _state(*(path for path in (self._listen.certificate, self._listen.key) if path is not None))


def _state(*paths: Path) -> Seen:
    """Returns a value that changes when one of these files is replaced."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)
