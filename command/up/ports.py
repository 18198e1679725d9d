"""Chooses ports on the loopback: those that a home had before, or free ones."""

from __future__ import annotations

import resource
import socket
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from zelador.errors import Unavailable

HOST = "127.0.0.1"
MAX_FILES = 1_000_000  # of a process without a limit
PORT_HELP = "The port for {}. Default: the one that the home had before, or a free one."


def is_free(port: int, host: str = HOST) -> bool:
    return trouble(port, host) is None


def trouble(port: int, host: str) -> OSError | None:
    """The error of listening on this address, or None."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
        return None


def max_files() -> int:
    """How many files this process may have open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft


def choose(
    names: Sequence[str], requested: Mapping[str, int | None], before: Mapping[str, Any], taken: Collection[int] = ()
) -> dict[str, int]:
    """A port for each name: the requested one, else the earlier one if it is free, else any free port.

    `taken`: ports that are chosen already. Raises Unavailable if a requested port is in use.
    """
    chosen: dict[str, int] = {}
    open_sockets: list[socket.socket] = []
    try:
        for name in names:
            port = requested.get(name)
            if port is not None:
                if port in (*chosen.values(), *taken) or not is_free(port):
                    raise Unavailable(
                        f"port {port} ({name}) is in use; choose another with --{name}-port, or omit the option"
                    )
                chosen[name] = port
            elif isinstance(old := before.get(name), int) and old not in (*chosen.values(), *taken) and is_free(old):
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
