"""Limits HTTP connections: in total, for each address, and in the time that a client may take.

uvicorn limits only the time between two requests. A client that never finishes its headers, sends a body byte by byte
or does not read the response would keep a connection forever; a thousand of them use up all file descriptors.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import resource
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from admin.connection import Connection

log = logging.getLogger(__name__)

BACKLOG = 128  # connections that wait in the kernel, and the most that are accepted at once
SPARE_FILES = 2 * BACKLOG  # file descriptors reserved for everything else
MIN_CONNECTIONS = 16
LOG_EVERY_S = 60.0

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def connection_limit(wanted: int) -> int:
    """Returns `wanted`, or less if the limit on open files is lower."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(MIN_CONNECTIONS, files - SPARE_FILES))


def share_of(address: str) -> str:
    """Returns what counts as one client: an IPv4 address, or an IPv6 /64 network, since one host may own all of it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class Connections:
    """The open connections of one server. At the limit, a new one replaces the one that has waited longest.

    A client that has sent its headers is never disconnected in favor of one that has not. Only for the event loop.
    """

    def __init__(self, most: int, proxies: tuple[Network, ...] = ()) -> None:
        self.most = most
        self._share = max(1, most // 2)
        self._proxies = proxies
        self._open: dict[Connection, None] = {}  # oldest first
        self._by_share: Counter[str] = Counter()
        self._logged_at = -LOG_EVERY_S

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection, now: float) -> bool:
        """Adds a connection. Returns False if there is no room for it."""
        share = connection.share
        if len(self._open) >= self.most or (self._by_share[share] >= self._share and not self._is_proxy(share)):
            self._log_full(now, share)
            own = self._by_share[share] >= self._share and not self._is_proxy(share)
            victim = _longest_waiting(each for each in self._open if not own or each.share == share)
            if victim is None:
                return False
            self.remove(victim)
            victim.evict()
        self._open[connection] = None
        self._by_share[share] += 1
        return True

    def remove(self, connection: Connection) -> None:
        if connection in self._open:
            del self._open[connection]
            self._by_share[connection.share] -= 1
            if not self._by_share[connection.share]:
                del self._by_share[connection.share]

    def sweep(self, now: float) -> None:
        """Closes the connections that exceed a time limit; called once a second."""
        for connection in list(self._open):
            connection.check(now)

    def _is_proxy(self, share: str) -> bool:
        return any(is_within(share, (network,)) for network in self._proxies)

    def _log_full(self, now: float, share: str) -> None:
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            log.warning(
                "%d connections are open, %d of them from %s (the limit is %d, %d from one address): "
                "the longest waiting are closed",
                len(self._open),
                self._by_share[share],
                share,
                self.most,
                self._share,
            )


def is_within(address: str, networks: Iterable[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network or found in network for network in networks)


def _longest_waiting(connections: Iterator[Connection]) -> Connection | None:
    """Returns the oldest connection without complete headers; else the oldest with unfinished body or unread response.

    Returns None if all of them wait for the server.
    """
    second: Connection | None = None
    for connection in connections:
        phase = connection.phase
        if phase in ("headers", "lingering"):
            return connection
        if second is None and (phase == "body" or connection.is_behind):
            second = connection
    return second


def quiet_accept(loop: asyncio.AbstractEventLoop) -> None:
    """Logs one line per minute if no file descriptor is left. asyncio retries every second, and logs every attempt."""
    logged_at = -LOG_EVERY_S

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal logged_at
        if "out of system resource" not in str(context.get("message")):
            loop.default_exception_handler(context)
        elif time.monotonic() - logged_at >= LOG_EVERY_S:
            logged_at = time.monotonic()
            log.error("no connection can be accepted: %s; retrying every second", context.get("exception"))

    loop.set_exception_handler(handle)
