"""Keeps programs running: restarts a program that dies, with a back-off."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from command.up.program_output import without
from zelador.clock import now_ms
from zelador.retry import backoff

log = logging.getLogger(__name__)

SETTLED_S = 30.0  # after a run of this length, the back-off starts over
CAP_S = 10.0  # the longest back-off
SAID_S = 5.0  # a stop that takes longer is explained, so that nobody takes it for a hang
TETHER = Path(__file__).with_name("tether.py")


@dataclass(slots=True)
class Program:
    """A command to keep running. `environment` is added to the environment of this process."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    noise: str | None = None  # pattern of lines in its output that are left out
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0  # time.monotonic()
    begun_at: int = 0  # ms since 1970 UTC
    deaths: int = 0  # in a row, without SETTLED_S between them
    starts_at: float = 0.0  # when to start it (again)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.poll() is None else None


class Supervisor:
    """Keeps programs running. Used from one thread only, because the kernel ties a program to its starting thread."""

    def __init__(self, output: IO[bytes] | None = None, changed: Callable[[], None] = lambda: None) -> None:
        self._programs: dict[str, Program] = {}
        self._output = output  # of the programs; None for standard error
        self._changed = changed

    def add(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        noise: str | None = None,
    ) -> None:
        self._programs[name] = Program(name, command, environment or {}, noise)
        self._start(self._programs[name])

    def pids(self) -> dict[str, int | None]:
        return {name: program.pid for name, program in self._programs.items()}

    def begun_at(self, name: str) -> int | None:
        """Returns when the program's current process was started (ms since 1970 UTC); None if it is not running."""
        program = self._programs[name]
        return program.begun_at if program.pid is not None else None

    def step(self) -> None:
        """Checks each program once, and starts those that are due."""
        now = time.monotonic()
        for program in self._programs.values():
            if program.process is not None and (code := program.process.poll()) is not None:
                if now - program.started_at > SETTLED_S:
                    program.deaths = 0
                program.deaths += 1
                delay = backoff(program.deaths, first=0.2, cap=CAP_S)
                program.process, program.starts_at = None, now + delay
                log.warning("%s ended (%s); restarting it in %.1f s", program.name, _exit_text(code), delay)
            if program.process is None and now >= program.starts_at:
                self._start(program)
                self._changed()

    def kill(self, name: str) -> None:
        """Kills a program that runs but does not answer."""
        if (pid := self._programs[name].pid) is not None:
            log.error("%s does not answer; killing it", name)
            os.kill(pid, signal.SIGKILL)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a program, if it runs."""
        if (pid := self._programs[name].pid) is not None:
            os.kill(pid, number)

    def stop(self, names: Sequence[str], within_s: float) -> None:
        """Sends SIGTERM to `names`, and SIGKILL to those still running after `within_s`."""
        programs = [self._programs.pop(name) for name in names if name in self._programs]
        running = [program.process for program in programs if program.process is not None and program.pid is not None]
        for process in running:
            process.terminate()
        now = time.monotonic()
        for process, program in zip(running, [p for p in programs if p.process in running], strict=True):
            if within_s > SAID_S and not _ends(process, now + SAID_S):
                log.warning("%s has not stopped yet; it is killed %.0f s after the request", program.name, within_s)
            if not _ends(process, now + within_s):
                log.warning("%s did not stop in %.0f s; killing it", program.name, within_s)
                process.kill()
                process.wait(5.0)

    def _start(self, program: Program) -> None:
        output: IO[bytes] = self._output if self._output is not None else sys.stderr.buffer
        into = output if program.noise is None else without(program.noise, output)
        command = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *program.command]
        program.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=into,
            stderr=into,
            env={**_inherited(), **program.environment},
            process_group=0,  # so that Ctrl-C reaches only this process, which stops the programs in order
        )
        if isinstance(into, int):
            os.close(into)  # the program has a copy
        program.started_at = time.monotonic()
        program.begun_at = now_ms()


def _ends(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Waits until the process ends. Returns False if it does not, by the deadline (time.monotonic)."""
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _inherited() -> dict[str, str]:
    """Returns the environment without ZELADOR_ variables, because a program gets its complete settings from us."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ZELADOR_")}


def _exit_text(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
