"""Chooses ports on the loopback: those that a home had before, or free ones."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from zelador.errors import Unavailable

HOST = "127.0.0.1"
PORT_HELP = "The port for {}. Default: the one that the home had before, or a free one."


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(names: Sequence[str], requested: Mapping[str, int | None], before: Mapping[str, int]) -> dict[str, int]:
    """A port for each name: the requested one, else the earlier one if it is free, else any free port.

    Raises Unavailable if a requested port is in use.
    """
    chosen: dict[str, int] = {}
    open_sockets: list[socket.socket] = []
    try:
        for name in names:
            port = requested.get(name)
            if port is not None:
                if port in chosen.values() or not is_free(port):
                    raise Unavailable(
                        f"port {port} ({name}) is in use; choose another with --{name}-port, or omit the option"
                    )
                chosen[name] = port
            elif (old := before.get(name)) and old not in chosen.values() and is_free(old):
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
