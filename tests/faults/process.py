"""A process that a test can kill, stop and start again. Its output goes to a file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from command.up import tether

AT_WORK = (b"receiving readings from", b"classifying with")  # the log line of workers that have loaded everything
WORDS = 4_000  # characters of a log that a failure shows


class Process:
    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """`prepare` is called in the child, before the command: for limits."""
        self.name = name
        self.log = log
        self.started_at = 0.0  # time.monotonic()
        self.lives = 0
        self.command = tuple(command)
        self._environment = environment
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._begun_at = 0  # byte of the log
        self._at_work_since: float | None = None

    def start(self) -> None:
        """Starts the process. Call it on the main thread, because the process ends with the thread that started it."""
        with self.log.open("ab") as log:
            self._begun_at = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.log.parent,
                process_group=0,
                preexec_fn=self._prepare,
            )
        self.started_at = time.monotonic()
        self._at_work_since = None
        self.lives += 1
        self._wanted = True

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def at_work_since(self) -> float | None:
        """The time when a worker of ours was first seen with everything loaded; for a server, when it was started."""
        if "zelador" not in self.command:
            return self.started_at
        if self._at_work_since is None:
            with contextlib.suppress(OSError), self.log.open("rb") as log:
                log.seek(self._begun_at)
                told = log.read()
                if any(said in told for said in AT_WORK):
                    self._at_work_since = time.monotonic()
        return self._at_work_since

    @property
    def ended_by_itself(self) -> int | None:
        """The exit code, if the process ended by itself."""
        return self._process.poll() if self._wanted and self._process is not None else None

    def kill(self) -> None:
        """Sends SIGKILL: nothing is flushed."""
        self._wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def memory(self) -> float | None:
        """The resident memory in MB; None if the process is not running, or the system does not say."""
        pid = self.pid
        if pid is None:
            return None
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE") / 1_048_576

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-WORDS:]
        return ""
