"""Chooses ports on the loopback interface: those that a home had before, or free ones."""

from __future__ import annotations

import contextlib
import errno
import random
import resource
import socket
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from zelador.errors import Unavailable

HOST = "127.0.0.1"
MAX_FILES = 1_000_000  # if a process has no limit
FREE = range(20_000, 30_000)  # below the ports that systems give to outgoing connections, so one stays free
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORT_HELP = "The port for {}. Default: the one that the home had before, or a free one."


def bound(port: int, host: str = HOST) -> socket.socket:
    """Returns a socket that is bound to the port, for a later `listen`. Raises OSError if it is in use."""
    try:
        return _bound(port, reuse=False, host=host)
    except OSError:
        return _bound(port, reuse=True, host=host)  # an earlier process left connections in TIME_WAIT


def bound_all(port: int, hosts: Sequence[str]) -> list[socket.socket]:
    """Returns a socket for each address, like `bound`. If one fails, none is left open."""
    found: list[socket.socket] = []
    try:
        for host in hosts:
            found.append(bound(port, host))  # noqa: PERF401 - earlier sockets are closed after an error
    except OSError:
        for each in found:
            each.close()
        raise
    return found


def trouble(port: int, host: str) -> OSError | None:
    """Returns the error of listening on this address; None if that works."""
    try:
        bound(port, host).close()
    except OSError as error:
        return error
    return None


def max_files() -> int:
    """Returns how many files this process may open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft


def unusable(name: str, port: int, error: OSError, options: Mapping[str, str] | None = None) -> Unavailable:
    """Returns the error for a requested port. `options` is as for `choose`."""
    option = (options or {}).get(name, f"--{name}-port")
    why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return Unavailable(f"port {port} ({name}) {why}; choose another with {option}, or omit it")


def choose(
    names: Sequence[str],
    requested: Mapping[str, int | None],
    before: Mapping[str, Any],
    options: Mapping[str, str] | None = None,
    taken: Collection[int] = (),
) -> dict[str, int]:
    """Returns a port for each name: the requested one, else the earlier one if it is free, else any free port.

    `options` says how a port was requested, if not by --<name>-port. `taken` are ports that are already chosen.
    Raises Unavailable if a requested port is in use.
    """
    chosen: dict[str, int] = {}
    open_sockets: list[socket.socket] = []
    try:
        for name in names:
            if (port := requested.get(name)) is not None:
                if error := _error(port, (*chosen.values(), *taken)):
                    raise unusable(name, port, error, options)
                chosen[name] = port
        for name in names:
            old = before.get(name)
            if name not in chosen and isinstance(old, int) and not _error(old, (*chosen.values(), *taken)):
                chosen[name] = old
        for name in names:
            if name not in chosen:
                probe = _free((*chosen.values(), *taken))
                open_sockets.append(probe)  # stays open until all are chosen, so that no two ports are equal
                chosen[name] = probe.getsockname()[1]
    finally:
        for probe in open_sockets:
            probe.close()
    return chosen


_turn = count(random.randrange(len(FREE)))  # so that two programs that start at once choose different ports


def _free(chosen: Collection[int]) -> socket.socket:
    """Returns a socket that is bound to a free port of HOST, which is none of `chosen`."""
    for _ in FREE if _may_choose() else ():
        port = FREE[next(_turn) % len(FREE)]
        with contextlib.suppress(OSError):
            if port not in chosen:
                return _bound(port, reuse=False)
    return _bound(0, reuse=False)


def _may_choose() -> bool:
    try:
        return int(OUTGOING.read_text().split()[0]) >= FREE.stop
    except (OSError, ValueError, IndexError):
        return True


def _error(port: int, chosen: Collection[int]) -> OSError | None:
    """Returns why the port cannot be used; None if it can."""
    if port in chosen:
        return OSError(errno.EADDRINUSE, "Address already in use")
    try:
        _bound(port, reuse=True).close()
    except OSError as error:
        return error
    return None


def _bound(port: int, reuse: bool, host: str = HOST) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
