"""Provides `libgomp.so.1`, which LightGBM needs, from the copy in scikit-learn's wheel if the system has none.

The dynamic loader reads LD_LIBRARY_PATH only when a process starts. So a process that may load LightGBM is started
with LD_LIBRARY_PATH set to a folder that contains a link to that copy.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import tempfile
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from zelador.python import python_module

log = logging.getLogger(__name__)

LIBRARY = "libgomp.so.1"
VARIABLE = "LD_LIBRARY_PATH"


def libgomp_environment() -> dict[str, str]:
    """The variables to add for a child process; empty if the library is found, or not needed (macOS)."""
    if sys.platform != "linux" or _loads():
        return {}
    copy = _copy()
    if copy is None:
        return {}
    try:
        folder = _linked(copy)
    except OSError as error:  # no writable folder: run without LightGBM rather than not at all
        log.warning("%s is not installed and cannot be linked (%s); install libgomp1", LIBRARY, error)
        return {}
    before = os.environ.get(VARIABLE)
    if folder is None or str(folder) in (before or "").split(":"):
        return {}  # a restart with this folder did not help, so do not restart again
    return {VARIABLE: f"{folder}:{before}" if before else str(folder)}


def restart_with_libgomp() -> None:
    """Restarts this command with the library on its path if it cannot be loaded. Keeps the process id."""
    if added := libgomp_environment():
        os.environ.update(added)
        _become(python_module("zelador", *sys.argv[1:]))


def main() -> None:
    """`python -m zelador.libgomp ARG…` runs `python ARG…` with the library on its path. Used for the tests."""
    os.environ.update(libgomp_environment())
    _become([sys.executable, *sys.argv[1:]])


def _become(command: list[str]) -> NoReturn:
    os.execv(command[0], command)  # noqa: S606


def _linked(copy: Path) -> Path | None:
    """The folder with the link; None if it belongs to another user, so that no foreign library is loaded."""
    folder = Path(tempfile.gettempdir()) / f"zelador-libgomp-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        return None
    link = folder / LIBRARY
    if not link.exists() or link.resolve() != copy.resolve():
        temporary = folder / f".{uuid.uuid4().hex}"
        temporary.symlink_to(copy)
        temporary.replace(link)
    return folder


def _loads() -> bool:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def _copy() -> Path | None:
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        return None
    libraries = Path(found.origin).parent.parent / "scikit_learn.libs"
    return next(iter(sorted(libraries.glob("libgomp-*.so*"))), None)


if __name__ == "__main__":
    main()
