"""Starts, supervises and stops the broker, Redis and all services of one home."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Event
from typing import IO, Any

from command.up import answers
from command.up.home import DRAIN_S, Home
from command.up.home_parts import make_parts
from command.up.listen import Listen
from command.up.own_servers import Own, address
from command.up.ports import HOST, unusable
from command.up.probe import BrokerProbe
from command.up.supervisor import Supervisor
from operations.sign_in_links import make_link
from zelador.buffer.archive_stream import ArchiveStream, say_end
from zelador.buffer.connection import RedisConnection
from zelador.errors import Unavailable
from zelador.libgomp import libgomp_environment
from zelador.python import python_module
from zelador.settings import Settings, environment, redact

log = logging.getLogger(__name__)

READY_S = 60.0  # time limit for everything to answer at startup
POLL_S = 0.1  # between two checks by the supervisor
INGEST_S = DRAIN_S + 2.0  # time limit on a stop, like the next four
SERVICES_S = 6.0
ARCHIVE_S = 10.0
SERVERS_S = 30.0  # for broker and Redis, because a broker that is killed loses what it has not written
FLUSH_S = 3.0  # for messages from the broker to devices
STOP_S = INGEST_S + DRAIN_S + FLUSH_S + SERVICES_S + ARCHIVE_S + SERVERS_S  # the longest orderly stop
UNENCRYPTED = "passwords and readings travel unencrypted to %s: use --tls-cert and --tls-key"
EMBEDDED = Own()
SERVICES = {"ingest": "ingest", "inference": "infer", "archive": "archive", "trainer": "trainer", "api": "api"}


class Up:
    """A running home. `start` returns when everything answers; `run` supervises until `stop` is set."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        stop: Event,
        ports: Mapping[str, int | None] | None = None,
        output: IO[bytes] | None = None,
        own: Own = EMBEDDED,
        listen: Listen | None = None,
    ) -> None:
        """Takes the home's lock, chooses the ports, and binds the devices' port.

        `ports` are the requested ones. `own` are servers that the user runs, used instead of the embedded ones.
        `listen` is where devices connect, if not on the loopback interface.
        Raises Conflict, InvalidInput, Corrupt or Unavailable.
        """
        tls = listen.context() if listen else None  # before the home is created
        self.home = Home(home)
        self._stop, self._own, self.listen = stop, own, listen
        try:
            self._parts = make_parts(self.home, settings, ports or {}, own, listen, tls)
        except BaseException:
            self.home.release()
            raise
        self.ports, self.settings, self.access = self._parts.ports, self._parts.settings, self._parts.access
        self.broker, self.redis, self._gate = self._parts.broker, self._parts.redis, self._parts.gate
        self._supervisor = Supervisor(output, self._write_pids)
        self._broker_begun: int | None = None
        self._is_open = self._admitting = self._stopped = False
        self._probe = BrokerProbe(self.settings.mqtt, stop)

    @property
    def mqtt_url(self) -> str:
        """The address for programs of this machine, without a password."""
        if self._own.broker is not None:
            return redact(self.settings.mqtt.url)
        return self.listen.local_url(self.ports["mqtt"]) if self.listen else f"mqtt://{HOST}:{self.ports['mqtt']}"

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.ports['api']}"

    def describe(self) -> dict[str, Any]:
        """Returns what a script needs to know. The keys are a public interface (docs/reference/cli.md)."""
        return {
            "mqtt": self.mqtt_url,
            "mqtt3": self.mqtt_url,
            "broker": self.broker.name if self.broker else "own",
            "redis": self.settings.redis.url,
            "api": self.api_url,
            "registry": str(self.home.registry),
            "home": str(self.home.path),
            "pids": dict(self._supervisor.pids()),
        }

    def console_link(self) -> str:
        """Returns a link that signs in to the console, once within a minute, on this machine.

        Raises NotFound, Unavailable.
        """
        return f"{self.api_url}{make_link(self.home.keys)}"

    def start(self) -> None:
        """Starts everything, and returns when all of it answers. If it raises Unavailable, nothing is left running."""
        try:
            for name, server in (("broker", self.broker), ("redis", self.redis)):
                if server is not None:
                    self._supervisor.add(name, server.command, noise=server.noise)
                    log.info("%s: %s %s, %s", name, server.name, server.version, server.promise)
            if used := address(self.settings, self._own):
                log.info("uses %s", used)
            self._own.check(self.settings, self._stop)
            if self.redis is not None:
                self._await("the embedded Redis", lambda: answers.redis_answers(self.settings))
            if self.broker is not None:
                self._await("the embedded broker", self._probe.answers)
            if self.listen is not None and self.listen.certificate is None:
                log.warning(UNENCRYPTED, self.listen.address)
            # An empty settings file: the user's own file is already in these settings and must not apply twice.
            config = {"ZELADOR_CONFIG": str(self.home.empty_config())}
            variables = {**environment(self.settings), **config, **libgomp_environment()}
            # After a start, a broker that forgets sessions has no subscribers. The worker waits QUIET_S for them after
            # it has connected, so the gate must be open by then.
            last = () if self._parts.remembers else ("inference",)
            without = () if self.settings.archive.enabled else ("archive",)
            self._add([name for name in SERVICES if name not in (*last, *without)], variables)
            if without:
                self._end_archive()
            if last:
                self._open_gate()
                self._add(last, variables)
            self._await(
                "a service", lambda: answers.services_answer(self.settings, self._supervisor.pids(), self.api_url)
            )
            if self.broker is not None:
                if not last:
                    self._open_gate()
                self._probe.start(lambda: self._supervisor.kill("broker"))
            self._write_pids()
        except BaseException:
            self.stop()
            raise

    def run(self, also: Callable[[], bool] = lambda: True) -> None:
        """Supervises until the stop event is set, or until `also()` returns false."""
        while not self._stop.is_set() and also():
            self._supervise()
            self._stop.wait(POLL_S)

    def stop(self) -> None:
        """Stops everything in an order that loses nothing: devices, the ingester, the other services, the servers.

        A second call does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        self._stop.set()
        self._probe.join()
        if threading.current_thread() is threading.main_thread():
            log.info("stopping")
        try:
            if self._is_open:
                self._gate.hold()
        except (RuntimeError, TimeoutError, OSError) as error:
            log.warning("the gate did not answer: %s", error)
        self._supervisor.stop(["ingest"], INGEST_S)
        answers.let_drain(self.settings)
        self._supervisor.stop(["inference", "trainer", "api"], SERVICES_S)
        try:
            if self._is_open:
                self._gate.flush(FLUSH_S)
        except (RuntimeError, TimeoutError, OSError) as error:
            log.warning("the gate did not send everything to devices: %s", error)
        self._supervisor.stop(["archive"], ARCHIVE_S)  # it writes the batch in its memory
        self._supervisor.stop(["broker", "redis"], SERVERS_S)
        self._gate.close()
        self.home.forget("up.json")
        self.home.release()

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _add(self, names: Iterable[str], variables: Mapping[str, str]) -> None:
        for name in names:
            self._supervisor.add(name, python_module("zelador", SERVICES[name]), variables)

    def _end_archive(self) -> None:
        """Unregisters an archive that was switched off, and logs how many readings it had not archived."""
        connection = RedisConnection(self.settings.redis, self._stop)
        try:
            say_end(*ArchiveStream(connection, self.settings.redis.prefix).end())
        finally:
            connection.client.close()

    def _open_gate(self) -> None:
        self._await("the ingester's subscription", self._ingester_listens)
        try:
            self._gate.open()
        except OSError as error:
            raise unusable("mqtt", self.ports["mqtt"], error) from None
        self._gate.admit(True)
        self._is_open = self._admitting = True

    def _supervise(self) -> None:
        """Checks each program once, and the gate once it is open."""
        if self._is_open:
            self._watch_gate()
            self._parts.unread.step()
        if self.access is not None:
            self.access.step(self._gate, lambda: self._reload_broker())
        self._supervisor.step()

    def _watch_gate(self) -> None:
        """After a restart of the broker, makes devices wait until the ingester has subscribed again."""
        begun = self._supervisor.begun_at("broker")
        if begun != self._broker_begun or begun is None:
            self._broker_begun = begun
            self._admitting = False
            self._gate.admit(False)
        elif not self._admitting and self._ingester_listens():
            self._admitting = True
            self._gate.admit(True)

    def _reload_broker(self) -> None:
        """Makes Mosquitto read its password file again. iotcore has no such file."""
        if self.broker is not None and self.broker.name == "mosquitto":
            self._supervisor.signal("broker", signal.SIGHUP)

    def _ingester_listens(self) -> bool:
        """Returns whether the ingester has connected to the current process of the broker."""
        self._broker_begun = self._supervisor.begun_at("broker")
        return self._broker_begun is not None and answers.ingester_connected(self.settings, self._broker_begun)

    def _await(self, what: str, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_S
        while not answers():
            self._supervise()
            if self._stop.is_set():
                raise Unavailable("stopped before everything had started")
            if time.monotonic() > deadline:
                raise Unavailable(f"{what} did not answer within {READY_S:g} s; see the log above")
            self._stop.wait(POLL_S)

    def _write_pids(self) -> None:
        document = self.describe()
        document["pids"]["up"] = os.getpid()
        self.home.write("up.json", document)
