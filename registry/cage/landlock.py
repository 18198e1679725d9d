"""File access rules for the cage: only the interpreter and its libraries can be read, and nothing can be written.

Landlock (Linux 5.13 and later) needs no privileges. It also prevents reading the memory or the environment
of other processes, which may contain passwords and the signing key.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
PR_SET_NO_NEW_PRIVS = 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ = EXECUTE | READ_FILE | READ_DIR
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}  # by the version that introduced them
DEVICES = 1 << 15  # the right to ioctl: not handled, because the cage has no terminal
NETWORK = 3  # bind and connect by TCP, since version 4
SCOPES = 3  # signals and abstract sockets to processes outside, since version 6
SYSTEM = (
    "/usr", "/lib", "/lib64", "/sys", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",  # not those of other processes, which root could read
)  # fmt: skip


def install(folder: Path | None, packages: Iterable[Path]) -> bool:
    """Enforces the rules; False if not supported. `folder` is writable; `packages` are readable in addition.

    Call it while the process has a single thread.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    handled = RIGHTS[max(known for known in RIGHTS if known <= version)] & ~DEVICES
    rules = struct.pack("=Q", handled)
    if version >= 4:
        rules += struct.pack("=Q", NETWORK)
    if version >= 6:
        rules += struct.pack("=Q", SCOPES)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.create_string_buffer(rules, len(rules)), len(rules), 0)
    if ruleset < 0:
        return False
    try:
        for path in (*map(Path, SYSTEM), *_python(), *packages):
            _allow(libc, ruleset, path, READ)
        for root in map(Path, sys.path):
            _allow(libc, ruleset, root, READ_DIR)  # to find Zelador's packages
        _allow(libc, ruleset, Path("/dev/null"), READ_FILE | WRITE_FILE)
        if folder is not None:
            _allow(libc, ruleset, folder, handled & ~EXECUTE)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _python() -> Iterable[Path]:
    """The interpreter, its standard library, and installed packages, without a working directory on its path."""
    yield from (Path(sys.base_prefix), Path(sys.prefix) / "lib")
    for entry in map(Path, sys.path):
        if entry.name in ("site-packages", "dist-packages") or entry.suffix == ".zip":
            yield entry
    yield from (Path(each) for each in os.environ.get("LD_LIBRARY_PATH", "").split(":") if each)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # the path does not exist on this machine
    try:
        if not path.is_dir():
            rights &= ~READ_DIR & (EXECUTE | READ_FILE | WRITE_FILE)
        rule = struct.pack("=Qi", rights, opened)
        libc.syscall(ADD_RULE, ruleset, 1, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(opened)
