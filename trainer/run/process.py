"""The parent's side of the run's child process: start, feed, listen, and end it, whatever happens."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, Self

from zelador.errors import Unavailable, ZeladorError
from zelador.libgomp import libgomp_environment

GRACE_S = 3.0
LOOK_S = 0.2


class RunFailed(ZeladorError):
    """The run came to no result; the message says why."""


class Cancelled(ZeladorError):
    """The run was ended because somebody wanted it."""


class Child:
    """Imports PyCaret as soon as it is made (seconds), so that it can be made ahead of the run."""

    def __init__(self) -> None:
        # MPLCONFIGDIR and the like are left alone: PyCaret runs as its user does.
        environment = {
            **os.environ,
            **libgomp_environment(),
            "PYTHONWARNINGS": "ignore",
            "PYCARET_CUSTOM_LOGGING_LEVEL": "CRITICAL",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trainer.run.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            env=environment,
            process_group=0,
        )
        self._left = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, folder: Path, stop: Event, cancelled: Event, timeout_s: float, progress: Callable[[str], None]
    ) -> dict[str, Any]:
        """The result for the request in `folder`. Raises RunFailed, Cancelled; Unavailable when told to stop."""
        deadline = time.monotonic() + timeout_s
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(f"{folder}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise RunFailed("the training process ended before it began; the log above says why") from None
        os.set_blocking(self._process.stdout.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if stop.is_set():
                    raise Unavailable("the run was stopped before it had a result; start it again")
                if cancelled.is_set():
                    raise Cancelled("the run was cancelled")
                if time.monotonic() > deadline:
                    raise RunFailed(f"the run took longer than {timeout_s:g} s (ZELADOR_TRAINING__TIMEOUT_S)")
                for event in self._events() if selector.select(LOOK_S) else ():
                    match event["event"]:
                        case "progress":
                            progress(event["message"])
                        case "failed":
                            raise RunFailed(event["message"])
                        case "done":
                            result: dict[str, Any] = event["result"]
                            return result

    def close(self) -> None:
        """Ends the child and everything it started. May be called again."""
        if self._process.poll() is None:
            for number, wait in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
                try:
                    os.killpg(self._process.pid, number)
                except ProcessLookupError:
                    break
                try:
                    self._process.wait(wait)
                    break
                except subprocess.TimeoutExpired:
                    continue
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _events(self) -> list[dict[str, Any]]:
        assert self._process.stdout is not None  # noqa: S101
        data = self._process.stdout.read()
        if data == b"":
            try:
                how = _how(self._process.wait(GRACE_S))
            except subprocess.TimeoutExpired:
                how = "it fell silent"
            raise RunFailed(f"the training process ended without a result ({how}); start the run again")
        *lines, self._left = (self._left + (data or b"")).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]


def _how(code: int) -> str:
    if code == -signal.SIGKILL:
        return "killed by SIGKILL: often the system, for want of memory"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
