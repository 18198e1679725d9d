"""Chooses ports on the loopback: those that a home had before, or free ones."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Mapping, Sequence

from zelador.errors import Unavailable

HOST = "127.0.0.1"
PORT_HELP = "The port for {}. Default: the one that the home had before, or a free one."


def bound(port: int) -> socket.socket:
    """A socket that holds the port for a later `listen`. Raises OSError if it is in use."""
    try:
        return _bound(port, reuse=False)
    except OSError:
        return _bound(port, reuse=True)  # there are connections of an earlier process in TIME_WAIT


def unusable(name: str, port: int, error: OSError, options: Mapping[str, str] | None = None) -> Unavailable:
    """The error for a requested port. `options`: as for `choose`."""
    option = (options or {}).get(name, f"--{name}-port")
    why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return Unavailable(f"port {port} ({name}) {why}; choose another with {option}, or omit it")


def choose(
    names: Sequence[str],
    requested: Mapping[str, int | None],
    before: Mapping[str, int],
    options: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """A port for each name: the requested one, else the earlier one if it is free, else any free port.

    `options` says how a port was requested, if not by --<name>-port. Raises Unavailable if a requested port is in use.
    """
    chosen: dict[str, int] = {}
    open_sockets: list[socket.socket] = []
    try:
        for name in names:
            if (port := requested.get(name)) is not None:
                if error := _error(port, chosen.values()):
                    raise unusable(name, port, error, options)
                chosen[name] = port
        for name in names:
            if name not in chosen and (old := before.get(name)) and not _error(old, chosen.values()):
                chosen[name] = old
        for name in names:
            if name not in chosen:
                probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                open_sockets.append(probe)  # open until all are chosen, so that no two are equal
                probe.bind((HOST, 0))
                chosen[name] = probe.getsockname()[1]
    finally:
        for probe in open_sockets:
            probe.close()
    return chosen


def _error(port: int, chosen: Collection[int]) -> OSError | None:
    """Why the port cannot be used, or None."""
    if port in chosen:
        return OSError(errno.EADDRINUSE, "Address already in use")
    try:
        _bound(port, reuse=True).close()
    except OSError as error:
        return error
    return None


def _bound(port: int, reuse: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock
