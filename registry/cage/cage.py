"""The parent's side of the cage: starts the child, enforces deadlines, and reports how the child ended.

An attacker may control the child from its first request on, so its replies are limited in size, typed, and checked.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from registry.cage import wire
from registry.cage.forks import NONE, STATUS
from registry.cage.template import TEMPLATE
from registry.cage.wire import LENGTH, Ready, Reply, Request
from registry.errors import ModelRefused
from zelador.errors import Unavailable
from zelador.undecodable import UNDECODABLE

log = logging.getLogger(__name__)

MIB = 1_048_576
START_S = 120.0  # limit for importing the libraries: it takes seconds, and a minute on a small machine under load
GRACE_S = 5.0
MAX_REPLY = 65_536  # bytes, unless a request needs more
WRITE_CHUNK = 65_536
MAX_OUTPUT = 2_000  # characters of the child's output that are used


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a cage. `memory`: bytes beyond the libraries, or four times the model if more; `cpu_s` 0: none.

    `libraries` are imported before memory is limited. `writable`: the child can write to its folder.
    """

    memory: int = 512 * MIB
    cpu_s: int = 20
    wall_s: float = 25.0  # including the start of the child, an answer takes at most 30
    libraries: tuple[str, ...] = ("onnxruntime",)
    writable: bool = False


DEFAULT = Limits()


class CageDied(ModelRefused):
    """The child died or was killed before it answered, because of its input."""


class Cage:
    """One child. Not thread-safe. After an error it is closed."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        """Starts the child. Its imports take seconds; `ready` waits for them. Raises Unavailable."""
        self._limits = limits
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _tidy
        self._folder = Path(tempfile.mkdtemp(prefix="zelador-cage-"))
        self._ready: Ready | None = None
        self._received = bytearray()
        self._closed = False
        self._process: int | None = None
        self._code: int | None = None
        self._started_at = time.monotonic()
        settings = {
            "folder": str(self._folder),
            "memory": limits.memory,
            "cpu_s": limits.cpu_s,
            "libraries": limits.libraries,
            "writable": limits.writable,
        }
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        self._status, status = os.pipe()
        for file in (self._requests, self._replies, self._status):
            os.set_blocking(file, False)
        try:
            TEMPLATE.fork(settings, (requests, replies, self._output.fileno(), status))
        except Unavailable:
            self._tidy()
            raise
        finally:
            for file in (requests, replies, status):
                os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return not self._closed and self._exit_code(0.0) is None

    def ready(self, wait_s: float = START_S) -> Ready | None:
        """The child's confinement, once its libraries are loaded; None until then.

        Raises Unavailable if the child ended, or took longer than START_S.
        """
        if self._ready is not None:
            return self._ready
        try:
            found = self._exchange(b"", time.monotonic() + wait_s, MAX_REPLY)
        except _Ended as ended:
            self.close()
            raise Unavailable(f"the process that checks models does not start ({ended.how})") from None
        if found is None:
            if time.monotonic() - self._started_at < START_S:
                return None
            self.close()
            raise Unavailable(f"the process that checks models did not start within {START_S:g} s")
        if not isinstance(found, Ready):
            raise Unavailable("the process that checks models started out of order")
        self._ready = found
        return found

    def ask(self, request: Request, wall_s: float | None = None, max_reply: int = MAX_REPLY) -> Reply:
        """The child's reply. Raises CageDied if the request killed the child; Unavailable if it cannot be started."""
        self.ready()
        limit = self._limits.wall_s if wall_s is None else wall_s
        try:
            found = self._exchange(wire.pack(request), time.monotonic() + limit, max_reply)
        except _Ended as ended:
            self.close()
            raise CageDied(ended.how) from None
        if found is None:
            self.close()
            raise CageDied(f"it took longer than {limit:g} s")
        return found

    def close(self) -> None:
        """Kills the child. May be called again."""
        if self._closed:
            return
        if self._exit_code(0.0) is None and self._process is not None:
            for end in (os.killpg, os.kill):  # on macOS it may have started other processes
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    end(self._process, signal.SIGKILL)
            self._exit_code(GRACE_S)
        self._tidy()

    def _exchange(self, data: bytes | bytearray, deadline: float, max_reply: int) -> Reply | None:
        """Sends `data` and returns one reply; None at the deadline. Raises _Ended."""
        view = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            if view:
                selector.register(self._requests, selectors.EVENT_WRITE)
            while True:
                if (found := self._taken(max_reply)) is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                for key, _ in selector.select(left):
                    if key.fd == self._requests:
                        view = self._write(view)
                        if not view:
                            selector.unregister(self._requests)
                    else:
                        self._read()

    def _write(self, view: memoryview) -> memoryview:
        try:
            return view[os.write(self._requests, view[:WRITE_CHUNK]) :]
        except BlockingIOError:
            return view
        except OSError:
            raise _Ended(self._how()) from None

    def _read(self) -> None:
        try:
            piece = os.read(self._replies, WRITE_CHUNK)
        except BlockingIOError:
            return
        if not piece:
            raise _Ended(self._how())
        self._received += piece

    def _taken(self, max_reply: int) -> Reply | None:
        if len(self._received) < LENGTH.size:
            return None
        (size,) = LENGTH.unpack_from(self._received)
        if size > max_reply:
            raise _Ended("the process that loaded it sent an invalid reply")
        if len(self._received) < LENGTH.size + size:
            return None
        data = bytes(self._received[LENGTH.size : LENGTH.size + size])
        del self._received[: LENGTH.size + size]
        try:
            return wire.replies.decode(data)
        except UNDECODABLE:
            raise _Ended("the process that loaded it sent an invalid reply") from None

    def _how(self) -> str:
        """How the child ended, as text for people."""
        code = self._exit_code(GRACE_S)
        if code is None:
            return "the process that loaded it stopped answering"
        output = self._last_words()
        if output:
            log.info("output of the process that checks models: %s", output)
        if code == -signal.SIGXCPU:
            return f"it used more than {self._limits.cpu_s} s of processor time"
        if code == -signal.SIGKILL:
            return "the process that loads it was killed by the system: it takes too much memory or processor time"
        if code < 0:
            return f"it crashes the process that loads it ({signal.Signals(-code).name})"
        last = output.splitlines()[-1][:300] if output else f"exit code {code}"
        return f"it ends the process that loads it ({last})"

    def _exit_code(self, wait_s: float) -> int | None:
        """The exit code, as in subprocess; None while the child runs."""
        deadline = time.monotonic() + wait_s
        with selectors.DefaultSelector() as selector:
            if not self._closed and self._code is None:
                selector.register(self._status, selectors.EVENT_READ)
            while not self._closed and self._code is None:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    break
                try:
                    data = os.read(self._status, STATUS.size)
                except BlockingIOError:
                    continue
                if not data:  # the template has died, and its children with it
                    self._code = -signal.SIGKILL
                    break
                self._process, code = STATUS.unpack(data)
                self._code = None if code == NONE else code
        return self._code

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._output.seek(0, os.SEEK_END)
            self._output.seek(max(0, self._output.tell() - MAX_OUTPUT))
            text = self._output.read(MAX_OUTPUT).decode(errors="replace")
            return "".join(each if each.isprintable() or each == "\n" else "?" for each in text).strip()
        return ""

    def _tidy(self) -> None:
        self._closed = True
        for file in (self._requests, self._replies, self._status):
            os.close(file)
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Ended(Exception):
    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how
