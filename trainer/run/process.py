"""The parent's side of the child process: starts it, passes it the run, reads its events, and always ends it."""

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

from trainer.run import events
from zelador.errors import Unavailable, ZeladorError
from zelador.libgomp import libgomp_environment
from zelador.undecodable import UNDECODABLE

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from trainer.run.child import main; main()"
GRACE_S = 3.0  # to end after each signal
POLL_S = 0.2


class RunFailed(ZeladorError):
    """The run has no result; the message says why."""


class Cancelled(ZeladorError):
    """Someone cancelled the run."""


class ChildDied(RunFailed):
    """The child ended by itself; `how` has the exit code or signal."""

    def __init__(self, how: str) -> None:
        super().__init__(f"the training process ended without a result ({how}); start the run again")
        self.how = how


class NoMore(RunFailed):
    """No further candidate may be compared: the time is up, or someone asked to finish early."""


@dataclass(frozen=True, slots=True)
class Control:
    """Ends a run early: `stop` and `cancelled` without a result, `enough` with the candidates compared so far."""

    stop: Event
    cancelled: Event = field(default_factory=Event)
    enough: Event = field(default_factory=Event)


Heard = events.Progress | events.CandidateStarted | events.FoldEnded | events.CandidateEnded


class Child:
    """A child process. It imports PyCaret at once, which takes seconds, so create it ahead of the run.

    `output` gets what the libraries print; by default it goes to standard error. `nice` is the priority for the
    system's scheduler, from 0 (normal) to 19 (lowest).
    """

    def __init__(self, output: IO[bytes] | None = None, nice: int = 0) -> None:
        self._output, self._nice = output, nice
        # MPLCONFIGDIR and similar variables are not set: PyCaret uses the configuration of its user.
        environment = {
            **os.environ,
            **libgomp_environment(),
            "PYTHONWARNINGS": "ignore",
            "PYCARET_CUSTOM_LOGGING_LEVEL": "CRITICAL",
            "PYCARET_CUSTOM_LOGGING_PATH": os.devnull,  # otherwise logs.log in the current folder
        }
        path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
        self._process = subprocess.Popen(
            # `-m` would not find our packages, because the service's current folder is empty.
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

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def fresh(self) -> Child:
        """Returns a new child with the same output and priority. Call it after this one has ended."""
        return Child(self._output, self._nice)

    def run(
        self,
        folder: Path,
        control: Control,
        deadline: float,
        heard: Callable[[Heard], None],
        has_candidates: Callable[[], bool],
    ) -> events.Result:
        """Runs the request in `folder`, until `deadline` (monotonic seconds), and returns its result.

        `has_candidates`: some are still to be compared. Without, a request to finish early is ignored, as a new process
        would only build the same models again.

        Raises RunFailed, ChildDied, NoMore, Cancelled; Unavailable if the process must stop.
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
                if (control.enough.is_set() and has_candidates()) or time.monotonic() > deadline:
                    raise NoMore("the time is up")
                for event in self._read() if selector.select(POLL_S) else ():
                    match event:
                        case (
                            events.Progress() | events.CandidateStarted() | events.FoldEnded() | events.CandidateEnded()
                        ):
                            heard(event)
                        case events.Failed(message):
                            raise RunFailed(message)
                        case events.Done(result):
                            return result

    def close(self) -> None:
        """Ends the child and every process that it started. May be called again."""
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
        """Returns the events that have arrived. Raises ChildDied at the end of the stream; RunFailed."""
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
        except UNDECODABLE as error:
            raise RunFailed(f"the training process reported an invalid event ({error}); start the run again") from None


def _exit_text(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed by SIGKILL: often by the system, when memory runs out"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
