"""The current folder of processes that load models: empty, and read-only for everyone but root.

A library that opens a relative path (external data of an ONNX file, a shared library, a log) finds nothing there, and
leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zelador.errors import Unavailable
from zelador.settings import Settings
from zelador.settings.paths import absolute

MODE = 0o500
# Environment variables with paths that libraries or child processes read later.
PATHS = (
    "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "ZELADOR_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH",
)  # fmt: skip
PATH_LISTS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


def move_to_empty_folder(settings: Settings) -> Settings:
    """Moves this process to the empty folder for good. Returns the settings with absolute paths.

    Raises Unavailable, InvalidInput.
    """
    settings = absolute(settings)
    sys.path[:] = map(_absolute, sys.path)
    for name in PATHS:
        if os.environ.get(name):
            os.environ[name] = _absolute(os.environ[name])
    for name in PATH_LISTS:
        if os.environ.get(name):
            os.environ[name] = os.pathsep.join(map(_absolute, os.environ[name].split(os.pathsep)))
    _enter()
    return settings


@contextlib.contextmanager
def in_empty_folder() -> Iterator[None]:
    """Runs the block in the empty folder. Paths that the block uses must be absolute. Raises Unavailable."""
    with contextlib.chdir("."):
        _enter()
        yield


def _enter() -> None:
    folder = Path(tempfile.gettempdir()) / f"zelador-empty-{os.geteuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(MODE)
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fchdir(descriptor)
            finally:
                os.close(descriptor)
            if _is_empty_and_ours():
                return
        os.chdir(tempfile.mkdtemp(prefix="zelador-empty-"))  # the usual one belongs to someone else, or has a file
        Path.cwd().chmod(MODE)
    except OSError as error:
        raise Unavailable(
            f"cannot make an empty folder in {folder.parent} ({error.strerror}); "
            "set TMPDIR to a folder that can be written"
        ) from None


def _is_empty_and_ours() -> bool:
    """Checks the current folder, which nobody can exchange after the check, unlike a path."""
    here = Path()
    found = here.stat()
    is_ours = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == MODE
    return is_ours and next(here.iterdir(), None) is None


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
