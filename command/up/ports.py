"""Ports on the loopback: which are free, and the ones that a home had before."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from zelador.errors import Unavailable

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(names: Sequence[str], asked: Mapping[str, int | None], before: Mapping[str, int]) -> dict[str, int]:
    """A port for each name: the one asked for, else the one it had before if free, else any.

    Raises Unavailable when a port that was asked for is taken.
    """
    chosen: dict[str, int] = {}
    held: list[socket.socket] = []
    try:
        for name in names:
            port = asked.get(name)
            if port is not None:
                if port in chosen.values() or not is_free(port):
                    raise Unavailable(
                        f"port {port} ({name}) is taken; name another with --{name}-port, or leave it out"
                    )
                chosen[name] = port
            elif (old := before.get(name)) and old not in chosen.values() and is_free(old):
                chosen[name] = old
        for name in names:
            if name not in chosen:
                probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                held.append(probe)  # held until all are chosen, so that no two get the same
                probe.bind((HOST, 0))
                chosen[name] = probe.getsockname()[1]
    finally:
        for probe in held:
            probe.close()
    return chosen
