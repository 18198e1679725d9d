"""The process that cages are forked from: it has imported the libraries (which takes seconds), and reads no model.

There is one for each process, started with the first cage. It ends with the process, or after it was idle for a while.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zelador.errors import Unavailable
from zelador.libgomp import libgomp_environment

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from registry.cage.forks import main; main()"
KEPT_VARIABLES = ("LANG", "LC_ALL", "PATH", "TZ", "LD_LIBRARY_PATH")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
SEND_S = 10.0
GRACE_S = 5.0


class Template:
    """The template of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0  # the process that started it: a fork starts a new one
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork(self, settings: Mapping[str, Any], files: Sequence[int]) -> None:
        """Requests a child with `files` (requests, replies, errors, status). Raises Unavailable."""
        message = json.dumps(settings).encode() + b"\n"
        with self._lock:
            for _ in range(2):  # an idle template may have ended just now
                if not self._is_running():
                    self._start()
                assert self._socket is not None  # noqa: S101
                try:
                    socket.send_fds(self._socket, [message], list(files))
                    return
                except OSError:
                    self._stop()
        raise Unavailable("the process that checks models does not start; see its log line above")

    def warm(self) -> None:
        """Starts the template, so that the first cage need not wait for its imports. Raises Unavailable."""
        with self._lock:
            if not self._is_running():
                self._start()

    def close(self) -> None:
        with self._lock:
            if self._owner == os.getpid():
                self._stop()

    def _is_running(self) -> bool:
        return self._process is not None and self._owner == os.getpid() and self._process.poll() is None

    def _start(self) -> None:
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(SEND_S)
        path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", BOOT, path, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C must not reach it; it ends when the socket is closed
            )
        except OSError as error:
            ours.close()
            raise Unavailable(f"the process that checks models cannot be started: {error}") from None
        finally:
            theirs.close()
        self._socket, self._owner = ours, os.getpid()

    def _stop(self) -> None:
        """Ends the template, and with it every cage."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        self._socket = self._process = None


TEMPLATE = Template()
atexit.register(TEMPLATE.close)


def _environment() -> dict[str, str]:
    """The environment of the template: only variables needed to find libraries; no settings, passwords or keys."""
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    # One arena: otherwise each further thread would reserve address space for its own.
    fixed = {**dict.fromkeys(ONE_THREAD, "1"), "MALLOC_ARENA_MAX": "1", "PYTHONWARNINGS": "ignore"}
    return {**environment, **libgomp_environment(), **fixed}
