"""Confines the cage's child before it reads a model: no files, no network, limited processor time, no core dumps."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from registry.cage import landlock, seccomp

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER_NEWNET = 0x10000000 | 0x40000000
MAX_FILES = 64  # open at once
MAX_FILE_BYTES = 1_048_576  # of a file that it writes, such as warnings of libraries


class Confinement(msgspec.Struct, frozen=True):
    """What is enforced. `network`: seccomp, namespace or none; `files`: landlock or none; `memory`: has a limit."""

    network: str
    files: str
    memory: bool


def confine(parent: int, folder: Path, packages: tuple[Path, ...], writable: bool) -> Confinement:
    """Confines this process, which must have a single thread. It exits when its parent has died."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
    ):
        _limit(limit, value, value)
    files = landlock.install(folder if writable else None, packages)
    network = "seccomp" if seccomp.install() else "namespace" if _no_network() else "none"
    return Confinement(network, "landlock" if files else "none", sys.platform == "linux")


def limit_processor(more_s: int) -> None:
    """Limits processor time to `more_s` seconds in addition to the time that imports took."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime) + more_s
    _limit(resource.RLIMIT_CPU, most, most + 1)  # SIGXCPU, then SIGKILL


def limit_memory(more: int, final: bool = True) -> None:
    """Limits address space to `more` bytes in addition to the current size; no effect on macOS.

    A limit that is not final can be raised later.
    """
    if sys.platform == "linux":
        most = address_space() + more
        _limit(resource.RLIMIT_AS, most, most if final else resource.RLIM_INFINITY)


def address_space() -> int:
    """The address space of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _limit(limit: int, soft: int, hard: int) -> None:
    _, before = resource.getrlimit(limit)
    if before != resource.RLIM_INFINITY:
        soft = min(soft, before)
        hard = before if hard == resource.RLIM_INFINITY else min(hard, before)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (soft, hard))


def _no_network() -> bool:
    """Moves the process into a network namespace without interfaces, if the user may create one."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER_NEWNET) == 0)
