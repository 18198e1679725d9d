"""The parent's side of the run's child process: start it, hand it the run, read its events, and always end it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO, Self

import msgspec

from trainer.run import events
from zelador.errors import Unavailable, ZeladorError
from zelador.libgomp import libgomp_environment

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from trainer.run.child import main; main()"
GRACE_S = 3.0  # after each signal
POLL_S = 0.2


class RunFailed(ZeladorError):
    """The run has no result; the message says why."""


class Cancelled(ZeladorError):
    """The run was ended because someone asked for it."""


class ChildDied(RunFailed):
    """The child ended by itself; `how` says how."""

    def __init__(self, how: str) -> None:
        super().__init__(f"the training process ended without a result ({how}); start the run again")
        self.how = how


class NoMore(RunFailed):
    """No further candidate is to be compared: the time is up, or somebody asked for what there is."""


@dataclass(frozen=True, slots=True)
class Control:
    """`stop`: the process ends. `cancelled`: the run ends without a result. `enough`: with the candidates so far."""

    stop: Event
    cancelled: Event = field(default_factory=Event)
    enough: Event = field(default_factory=Event)


Heard = events.Progress | events.CandidateStarted | events.CandidateEnded


class Child:
    """Starts at once to import PyCaret, which takes seconds; so it can be made ahead of the run.

    `output` takes what the libraries print; by default it goes to standard error. `nice` is its priority for the
    system's scheduler: 0 is the usual one, 19 the lowest.
    """

    def __init__(self, output: IO[bytes] | None = None, nice: int = 0) -> None:
        self._output, self._nice = output, nice
        # MPLCONFIGDIR and the like are left alone: PyCaret runs as its user does.
        environment = {
            **os.environ,
            **libgomp_environment(),
            "PYTHONWARNINGS": "ignore",
            "PYCARET_CUSTOM_LOGGING_LEVEL": "CRITICAL",
            "PYCARET_CUSTOM_LOGGING_PATH": os.devnull,  # otherwise logs.log in the current folder
        }
        path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
        self._process = subprocess.Popen(
            # The service's own folder is empty: `-m` would not find us there.
            [sys.executable, "-c", BOOT, path, str(nice)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=environment,
            process_group=0,
        )
        self._unread = b""  # the beginning of a line whose end has not arrived

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fresh(self) -> Child:
        """Another one like this, which has ended."""
        return Child(self._output, self._nice)

    def run(self, folder: Path, control: Control, deadline: float, heard: Callable[[Heard], None]) -> events.Result:
        """Does the request in `folder`, until `deadline` (monotonic).

        Raises RunFailed, ChildDied, NoMore, Cancelled; Unavailable once the process is to stop.
        """
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(f"{folder}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise RunFailed("the training process ended before the run began; the log above says why") from None
        os.set_blocking(self._process.stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if control.stop.is_set():
                    raise Unavailable("the run was stopped before it had a result; start it again")
                if control.cancelled.is_set():
                    raise Cancelled("the run was cancelled")
                if control.enough.is_set() or time.monotonic() > deadline:
                    raise NoMore("the time is up")
                for event in self._read() if selector.select(POLL_S) else ():
                    match event:
                        case events.Progress() | events.CandidateStarted() | events.CandidateEnded():
                            heard(event)
                        case events.Failed(message):
                            raise RunFailed(message)
                        case events.Done(result):
                            return result

    def close(self) -> None:
        """Ends the child and every process it started. May be called again."""
        if self._process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self._process.pid, number)
                except ProcessLookupError:
                    break
                try:
                    self._process.wait(GRACE_S)
                    break
                except subprocess.TimeoutExpired:
                    continue
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> list[events.Event]:
        """The events that have arrived. Raises RunFailed at the end of the stream."""
        assert self._process.stdout is not None  # noqa: S101
        data = self._process.stdout.read()
        if data == b"":
            try:
                how = _exit_text(self._process.wait(GRACE_S))
            except subprocess.TimeoutExpired:
                how = "it closed its output"
            raise ChildDied(how)
        *lines, self._unread = (self._unread + (data or b"")).split(b"\n")
        try:
            return [events.decode(line) for line in lines if line.strip()]
        except msgspec.DecodeError as error:
            raise RunFailed(f"the training process reported an invalid event ({error}); start the run again") from None


def _exit_text(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed by SIGKILL: often by the system, when memory runs out"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
