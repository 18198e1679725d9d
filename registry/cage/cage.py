"""The parent's side of the cage: starts the child, gives it a deadline, and says how it ended.

The child may be under a stranger's control from its first request on: its replies are bounded, typed, and judged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import msgspec

from registry.cage import wire
from registry.cage.wire import LENGTH, Ready, Reply, Request
from registry.errors import ModelRefused
from zelador.errors import Unavailable
from zelador.libgomp import libgomp_environment

log = logging.getLogger(__name__)

MIB = 1_048_576
START_S = 120.0  # for the child's libraries: seconds, on a small machine under load a minute
GRACE_S = 5.0
MAX_REPLY = 65_536  # bytes, where a request does not need more
WRITE_CHUNK = 65_536
MAX_SAID = 2_000  # characters kept of what the child printed
BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from registry.cage.child import main; main()"
KEPT_VARIABLES = ("LANG", "LC_ALL", "PATH", "TZ")


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory`: bytes beside what the libraries take, or four times the model, whichever is more; `cpu_s` 0: none.

    `libraries` are imported before memory is limited.
    """

    memory: int = 512 * MIB
    cpu_s: int = 20
    wall_s: float = 30.0
    libraries: tuple[str, ...] = ("skops.io", "onnxruntime")


DEFAULT = Limits()


class CageDied(ModelRefused):
    """The child ended, or was ended, before it answered: what it was given did that."""


class Cage:
    """One child. Not safe for threads. After an error it is closed."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        """Starts the child, which needs seconds for its imports; `ready` waits for them. Raises Unavailable."""
        self._limits = limits
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _tidy
        self._folder = Path(tempfile.mkdtemp(prefix="zelador-cage-"))
        self._ready: Ready | None = None
        settings = {
            "parent": os.getpid(),
            "folder": str(self._folder),
            "memory": limits.memory,
            "cpu_s": limits.cpu_s,
            "libraries": limits.libraries,
        }
        path = [str(Path(entry).absolute()) for entry in sys.path]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", BOOT, json.dumps(path), json.dumps(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                cwd=self._folder,
                env=_environment(self._folder),
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._tidy()
            raise Unavailable(f"the process that checks models cannot be started: {error}") from None
        self._started_at = time.monotonic()
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        self._received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ready(self, wait_s: float = START_S) -> Ready | None:
        """What holds in the child, once its libraries are loaded; None when that is not yet so.

        Raises Unavailable when it ended instead, or took longer than START_S.
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
        """The child's reply. Raises CageDied, when this ended the child; Unavailable when it cannot be started."""
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
        """Ends the child and all that it started. May be called again."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        for stream in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                stream.close()
        self._tidy()

    def _exchange(self, data: bytes, deadline: float, max_reply: int) -> Reply | None:
        """Sends `data` and takes one reply; None at the deadline. Raises _Ended."""
        view = memoryview(data)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if view:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            while True:
                if (found := self._taken(max_reply)) is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                for key, _ in selector.select(left):
                    if key.fileobj is self._stdin:
                        view = self._write(view)
                        if not view:
                            selector.unregister(self._stdin)
                    else:
                        self._read()

    def _write(self, view: memoryview) -> memoryview:
        try:
            return view[os.write(self._stdin.fileno(), view[:WRITE_CHUNK]) :]
        except BlockingIOError:
            return view
        except OSError:
            raise _Ended(self._how()) from None

    def _read(self) -> None:
        try:
            piece = os.read(self._stdout.fileno(), WRITE_CHUNK)
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
            raise _Ended("it makes the process that loads it answer nonsense")
        if len(self._received) < LENGTH.size + size:
            return None
        data = bytes(self._received[LENGTH.size : LENGTH.size + size])
        del self._received[: LENGTH.size + size]
        try:
            return wire.replies.decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise _Ended("it makes the process that loads it answer nonsense") from None

    def _how(self) -> str:
        """How the child ended, as a reason for people."""
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return "it makes the process that loads it fall silent"
        said = self._last_words()
        if said:
            log.info("the process that checks models said: %s", said)
        if code == -signal.SIGXCPU:
            return f"it used more than {self._limits.cpu_s} s of processor time"
        if code == -signal.SIGKILL:
            return "the process that loads it was killed by the system: it takes too much memory or processor time"
        if code < 0:
            return f"it crashes the process that loads it ({signal.Signals(-code).name})"
        last = said.splitlines()[-1][:300] if said else f"exit code {code}"
        return f"it ends the process that loads it ({last})"

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._said.seek(0, os.SEEK_END)
            self._said.seek(max(0, self._said.tell() - MAX_SAID))
            text = self._said.read(MAX_SAID).decode(errors="replace")
            return "".join(each if each.isprintable() or each == "\n" else "?" for each in text).strip()
        return ""

    def _tidy(self) -> None:
        self._said.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Ended(Exception):
    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours but what finds libraries: no setting, no password, no key."""
    environment = {name: os.environ[name] for name in (*KEPT_VARIABLES, "LD_LIBRARY_PATH") if name in os.environ}
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1")
    home = dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"), str(folder))
    # One arena: each further thread would reserve address space for one of its own.
    return {**environment, **libgomp_environment(), **one, **home, "MALLOC_ARENA_MAX": "1", "PYTHONWARNINGS": "ignore"}
