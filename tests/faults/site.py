"""One site of real processes: Mosquitto, redis-server, ingesters and workers, each killable, with wires between them.

Ports and data folders stay: what is started again finds what it left. Every worker has a wire of its own to the
broker, on which a witness listens, and one to Redis; the devices have one to the broker.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType

import redis

from command.up.ports import choose
from command.up.servers import broker_server, found_program, redis_server
from tests.faults.book import Book
from tests.faults.process import Process
from tests.faults.witness import IngestTap, WorkerTap
from tests.small_models import select_one
from tests.wire import HOST, Wire
from zelador.heartbeat import workers
from zelador.ledger import Ledger, LedgerReader
from zelador.libgomp import libgomp_environment
from zelador.settings import Settings, environment

ROOT = Path(__file__).parent.parent.parent
PREFIX = "zelador"
START_S = 150.0  # under load, at the lowest priority, a worker's imports took 49 s, and its model longer
TAKEOVER_S = 2.0


class Failed(AssertionError):
    """A condition was not met in time."""


@dataclass(frozen=True)
class Shape:
    """The parts of a site. `stock`: Mosquitto with its defaults, except for listener, user and persistence."""

    ingesters: int = 1
    workers: int = 1
    stock: bool = False
    fsync: str = "everysec"
    broker: str = "mosquitto"  # or iotcore
    redis: str = "redis-server"  # or valkey
    prepare_redis: Callable[[], None] | None = None
    model: Callable[[Path], object] = select_one
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


class Site:
    def __init__(self, folder: Path, shape: Shape, book: Book) -> None:
        self.folder = folder
        self.shape = shape
        self.book = book
        self.processes: dict[str, Process] = {}
        self.wires: dict[tuple[str, str], Wire] = {}
        self.taps: dict[str, list[IngestTap]] = {}  # the connections of each ingester
        self.ports = choose(["mqtt", "mqtt3", "redis"], {}, {})
        self.client = redis.Redis.from_url(f"redis://{HOST}:{self.ports['redis']}/0", socket_timeout=5.0)
        self._ends = contextlib.ExitStack()

    @property
    def ingesters(self) -> list[str]:
        return [f"ingest-{number + 1}" for number in range(self.shape.ingesters)]

    @property
    def workers(self) -> list[str]:
        return [f"inference-{number + 1}" for number in range(self.shape.workers)]

    def __enter__(self) -> Site:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            process.kill()
        self._ends.close()
        self.client.close()

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def kill_unwritten(self, within_s: float) -> bool:
        """Kills Redis between an answer and its write; after `within_s` at any moment, and then returns False."""
        deadline, met = time.monotonic() + within_s, False
        while not met and time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError, OSError):
                info = self.client.info("persistence")
                met = bool(info["aof_pending_bio_fsync"] and info["aof_buffer_length"])
        self.kill("redis")
        return met

    def start(self, name: str) -> None:
        self.processes[name].start()

    def restart(self, name: str) -> None:
        """Kills the process and starts it again at once, as a supervisor does; returns when it answers."""
        self.kill(name)
        self.start(name)
        self.ready(name)

    def wire(self, one: str, other: str) -> Wire:
        return self.wires[one, other]

    def revive(self) -> list[str]:
        """Starts processes again that ended by themselves; returns their names, since that should not happen."""
        ended = [name for name, process in self.processes.items() if process.ended_by_itself is not None]
        for name in ended:
            self.start(name)
        return ended

    # ── what is so ───────────────────────────────────────────────────────────────────────────

    def ready(self, *names: str) -> None:
        """Waits until each process answers: a server to a client, a worker by its own heartbeat."""
        for name in names:
            self.wait(partial(self.answers, name), f"{name} to answer", START_S)

    def answers(self, name: str) -> bool:
        process = self.processes[name]
        if name == "broker":
            return process.pid is not None and _accepts(self.ports["mqtt"])
        try:
            if name == "redis":
                return process.pid is not None and bool(self.client.ping())
            for found in workers(self.client, PREFIX):
                if found.get("pid") == str(process.pid):
                    return bool(found.get("connected_at")) and (name in self.ingesters or bool(found.get("model")))
        except (redis.RedisError, OSError):
            pass
        return False

    def ledger(self) -> Ledger:
        return LedgerReader(self.client, PREFIX).read()

    def with_the_broker(self) -> int:
        """Readings handed to an ingester on the connection that it has now, and not acknowledged by it."""
        newest = [[tap for tap in taps if not tap.looks][-1:] for taps in self.taps.values()]
        return sum(sum(map(len, list(tap.open.values()))) for taps in newest for tap in taps)

    def wait(self, condition: Callable[[], object], what: str, within_s: float = 30.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"waited {within_s:g} s for {what}\n{self.last_words()}")
            time.sleep(0.02)

    def last_words(self) -> str:
        return "\n".join(f"── {name}\n{process.last_words()}" for name, process in self.processes.items())

    # ── building ─────────────────────────────────────────────────────────────────────────────

    def _build(self) -> None:
        registry = self.folder / "registry"
        self.shape.model(registry)
        data = self.folder / "redis"
        data.mkdir(exist_ok=True)
        server = redis_server(data, self.ports["redis"], self.shape.redis)
        command = (*server.command, "--appendfsync", self.shape.fsync)
        self._add("broker", self._broker())
        self._add("redis", command, prepare=self.shape.prepare_redis)
        self._wire("devices", "broker")
        for number, name in enumerate([*self.ingesters, *self.workers]):
            self._wire(name, "broker")
            self._wire(name, "redis")
            service = "ingest" if number < self.shape.ingesters else "infer"
            self._add(name, (sys.executable, "-m", "zelador", service), self._environment(name, registry))
        for names in (["broker", "redis"], self.ingesters, self.workers):
            for name in names:
                self.start(name)
            self.ready(*names)

    def _add(
        self, name: str, command: tuple[str, ...], variables: dict[str, str] | None = None, **more: object
    ) -> None:
        self.processes[name] = Process(name, command, self.folder / f"{name}.log", variables, **more)  # type: ignore[arg-type]

    def _wire(self, one: str, other: str) -> None:
        def ingest_tap() -> IngestTap:
            self.taps.setdefault(one, []).append(IngestTap(self.book))
            return self.taps[one][-1]

        tap: Callable[[], IngestTap | WorkerTap] | None = None
        if other == "broker" and one in self.ingesters:
            tap = ingest_tap
        elif other == "broker" and one in self.workers:
            tap = lambda: WorkerTap(self.book)  # noqa: E731
        port = self.ports["redis" if other == "redis" else "mqtt"]
        self.wires[one, other] = self._ends.enter_context(Wire(port, tap=tap))

    def _broker(self) -> tuple[str, ...]:
        if not self.shape.stock:
            return broker_server(self.folder, self.ports["mqtt"], self.ports["mqtt3"], self.shape.broker).command
        data, config = self.folder / "mosquitto", self.folder / "mosquitto.conf"
        data.mkdir(exist_ok=True)
        config.write_text(
            f"listener {self.ports['mqtt']} {HOST}\nallow_anonymous true\nuser {getpass.getuser()}\n"
            f"persistence true\npersistence_location {data}/\n"
        )
        return found_program("mosquitto") or "mosquitto", "-c", str(config)

    def _environment(self, name: str, registry: Path) -> dict[str, str]:
        """The environment of a worker: a long patience at the start, a short takeover; otherwise as shipped."""
        ours: dict[str, dict[str, object]] = {
            "mqtt": {
                "url": self.wires[name, "broker"].url,
                "start_patience_s": START_S,
                "connect_timeout_s": 2.0,
                "shared_group": "site" if self.shape.ingesters > 1 else None,
            },
            "redis": {
                "url": f"redis://{HOST}:{self.wires[name, 'redis'].port}/0",
                "prefix": PREFIX,
                "start_patience_s": START_S,
                "timeout_s": 2.0,
            },
            "registry": {"url": str(registry)},
            "ingest": {"client_id": name},
            "inference": {
                "instance": name,
                "takeover_after_s": TAKEOVER_S,
                # The broker forgets its sessions: subscribers need time to return, as under `zelador up`.
                "quiet_s": 3.0 if self.shape.broker == "iotcore" else 0.0,
            },
            "log": {"format": "console"},
        }
        given = self.shape.settings
        sections = {section: {**ours.get(section, {}), **given.get(section, {})} for section in {**ours, **given}}
        settings = Settings(**sections)  # type: ignore[arg-type]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ZELADOR_")}
        return {**clean, **libgomp_environment(), **environment(settings), "PYTHONPATH": str(ROOT)}


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False
