"""Starts the broker, Redis and both workers of the benchmark. Their settings are printed with the results."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis

from command.up import tether
from command.up.ports import HOST, choose
from command.up.servers import found_program, redis_server
from zelador.errors import Unavailable, ZeladorError
from zelador.heartbeat import workers
from zelador.libgomp import libgomp_environment

NEEDED = ("mosquitto", "mosquitto_pub", "mosquitto_sub", "redis-server")
ROOT = Path(__file__).parent.parent
PREFIX = "zelador"
START_S = 60.0
END_S = 20.0  # zelador's commands end within this time after SIGTERM
BROKER_SETTINGS = {
    "persistence": "false",
    "max_inflight_messages": "1000",
    "max_queued_messages": "0",
    "set_tcp_nodelay": "true",
}
REDIS_SETTINGS = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}


class Failed(ZeladorError):
    """The benchmark cannot continue: a program that it started died or did not answer."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process of the benchmark. `log` is the file with its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Checks that the process is running. Raises Failed with the last lines of its output if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise Failed(f"{self.name} ended with {code}: {self.last_words()}")

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-5:]) or "no output"


@dataclass(slots=True)
class Stack:
    """The servers that run during the whole benchmark. `programs` is by the names used in the report."""

    folder: Path
    mqtt_port: int
    redis_url: str
    durability: str = "written"
    programs: dict[str, Program] = field(default_factory=dict)

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://{HOST}:{self.mqtt_port}"

    def check(self) -> None:
        for program in self.programs.values():
            program.check()


def check_programs() -> None:
    """Checks that all programs exist. Raises Unavailable if one is missing; the message says what to install."""
    missing = [name for name in NEEDED if found_program(name) is None]
    if missing:
        raise Unavailable(
            f"make bench needs {', '.join(missing)}, which is not on the PATH; "
            "install mosquitto, mosquitto-clients and redis-server (make servers)"
        )


def program_path(name: str) -> str:
    path = found_program(name)
    if path is None:
        raise Unavailable(f"{name} is not on the PATH; install it with make servers")
    return path


def version(name: str, argument: str) -> str:
    done = subprocess.run([program_path(name), argument], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return found.group() if found else "of unknown version"


@contextlib.contextmanager
def servers(folder: Path, durability: str = "written") -> Iterator[Stack]:
    """Runs Mosquitto and Redis on free ports of the loopback; yields when both answer."""
    ports = choose(["mqtt", "redis"], {}, {})
    config = folder / "mosquitto.conf"
    config.write_text(broker_config(ports["mqtt"]))
    data = folder / "redis"
    data.mkdir()
    stack = Stack(folder, ports["mqtt"], f"redis://{HOST}:{ports['redis']}/0", durability)
    database = redis_server(data, ports["redis"], "redis-server", durability)
    with contextlib.ExitStack() as ends:

        def start(name: str, command: Sequence[str], answers: Callable[[], bool]) -> None:
            program = ends.enter_context(started(name, command, folder))
            stack.programs[name] = program
            await_that(answers, [program], f"{name} to answer")

        start("broker", [program_path("mosquitto"), "-c", str(config)], lambda: accepts(ports["mqtt"]))
        start("redis", database.command, lambda: accepts(ports["redis"]))
        yield stack


def broker_config(port: int) -> str:
    """The broker's configuration. `user` is the current user: started by root, Mosquitto would change its user and
    could not access its folder."""
    settings = "".join(f"{name} {value}\n" for name, value in BROKER_SETTINGS.items())
    return (
        f"listener {port} {HOST}\nallow_anonymous true\nuser {getpass.getuser()}\n{settings}"
        "log_dest stderr\nlog_type error\nlog_type warning\n"
    )


@contextlib.contextmanager
def product(
    stack: Stack, registry: Path, model: str, lane: bool, profile: bool = False, alarms: bool = True
) -> Iterator[Stack]:
    """Runs `zelador ingest` and `zelador infer`; yields when both are connected and `model` is live.

    With `profile`, each runs under cProfile and writes `<name>.profile`.
    """
    environment = worker_environment(os.environ, stack, registry, lane)
    if not alarms:
        environment["ZELADOR_ALARM__ENABLED"] = "false"
    with contextlib.ExitStack() as ends:
        for name, command in (("ingest", "ingest"), ("inference", "infer")):
            profiler = ["-m", "cProfile", "-o", str(stack.folder / f"{name}.profile")] if profile else []
            arguments = [sys.executable, *profiler, "-m", "zelador", command]
            stack.programs[name] = ends.enter_context(started(name, arguments, stack.folder, environment))
            ends.callback(stack.programs.pop, name)
        both = [stack.programs[name] for name in ("ingest", "inference")]
        with redis.Redis.from_url(stack.redis_url, socket_timeout=5.0) as client:
            await_that(lambda: both_live(client, model), both, "both workers to be connected, with the model live")
        yield stack


def worker_environment(outside: Mapping[str, str], stack: Stack, registry: Path, lane: bool) -> dict[str, str]:
    """The workers' environment, without the user's own settings. (Their folder has no zelador.toml.)"""
    clean = {name: value for name, value in outside.items() if not name.startswith("ZELADOR_")}
    clean |= libgomp_environment()  # otherwise `infer` would restart itself, without the profiler
    clean |= {
        "PYTHONPATH": str(ROOT),
        "ZELADOR_MQTT__URL": stack.mqtt_url,
        "ZELADOR_REDIS__URL": stack.redis_url,
        "ZELADOR_REDIS__PREFIX": PREFIX,
        "ZELADOR_REGISTRY__URL": str(registry),
    }
    if stack.durability != "written":
        clean["ZELADOR_REDIS__DURABILITY"] = stack.durability
    if not lane:
        clean["ZELADOR_MQTT__LANE"] = "false"
    return clean


def both_live(client: redis.Redis, model: str) -> bool:
    alive = {found["service"]: found for found in workers(client, PREFIX)}
    connected = all(alive.get(service, {}).get("connected_at") for service in ("ingest", "inference"))
    return connected and alive["inference"].get("model") == model


@contextlib.contextmanager
def started(
    name: str,
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
) -> Iterator[Program]:
    """Runs a process until the end of the block. It also ends when this process dies, but not on Ctrl-C."""
    path = folder / f"{name}.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, tether.__file__, str(os.getpid()), *command],
            stdin=stdin,
            stdout=log if stdout is None else stdout,
            stderr=log,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield Program(name, process, path)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_S)


def await_that(
    condition: Callable[[], bool], programs: Sequence[Program], what: str, within_s: float = START_S
) -> None:
    """Waits for `condition`, described by `what`. Raises Failed after `within_s`, or when one of `programs` ends."""
    deadline = time.monotonic() + within_s
    while not condition():
        for program in programs:
            program.check()
        if time.monotonic() > deadline:
            output = "; ".join(f"{program.name}: {program.last_words()}" for program in programs)
            raise Failed(f"waited {within_s:g} s for {what} ({output})")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    import socket

    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False
