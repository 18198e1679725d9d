"""The process that cages are forked from: it has imported the libraries (seconds), and never sees a model.

One for this process, started with the first cage; it ends with us, or when it was not needed for a while.
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
    """Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0  # the process that started it: a fork of ours starts its own
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork(self, settings: Mapping[str, Any], files: Sequence[int]) -> None:
        """Asks for a child with `files` (requests, replies, errors, status). Raises Unavailable."""
        message = json.dumps(settings).encode() + b"\n"
        with self._lock:
            for _ in range(2):  # one that was idle for long may have ended just now
                if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
                    self._start()
                assert self._socket is not None  # noqa: S101
                try:
                    socket.send_fds(self._socket, [message], list(files))
                    return
                except OSError:
                    self._stop()
        raise Unavailable("the process that checks models does not start; its log line above says why")

    def close(self) -> None:
        with self._lock:
            if self._owner == os.getpid():
                self._stop()

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
                start_new_session=True,  # Ctrl-C is for us; it ends when our end of the socket closes
            )
        except OSError as error:
            ours.close()
            raise Unavailable(f"the process that checks models cannot be started: {error}") from None
        finally:
            theirs.close()
        self._socket, self._owner = ours, os.getpid()

    def _stop(self) -> None:
        """The template ends, and with it every cage."""
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
    """Nothing of ours but what finds libraries: no setting, no password, no key."""
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    # One arena: each further thread would reserve address space for one of its own.
    fixed = {**dict.fromkeys(ONE_THREAD, "1"), "MALLOC_ARENA_MAX": "1", "PYTHONWARNINGS": "ignore"}
    return {**environment, **libgomp_environment(), **fixed}
