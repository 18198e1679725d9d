"""Finds the client's address in a request that a trusted proxy forwarded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_network

from admin.connections import Network, is_within

WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")
MAX_ADDRESS = 45  # characters of the longest IPv6 address
ALL = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def client_address(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """Returns the client's address: the right-most one in X-Forwarded-For that is not in `trusted`.

    `peer` is the other end of the connection; `forwarded` are the values of the header, in order. Values that a client
    forged are to the left of those that trusted proxies added, so they are ignored.
    """
    if not trusted or not is_within(peer, trusted):
        return peer
    found = peer
    for part in reversed([part.strip() for value in forwarded for part in value.split(",")]):
        match = WITH_PORT.fullmatch(part)
        address = (match[1] or match[2]) if match else part
        if not is_address(address):
            return found  # "unknown", or not an address: the last address that a proxy vouches for
        found = address
        if not is_within(address, trusted):
            return found
    return found


def client_scheme(peer: str, forwarded: str | None, trusted: Sequence[Network]) -> str:
    """Returns `https` if a trusted proxy says that the client reached it over TLS (X-Forwarded-Proto), else `http`."""
    if forwarded is None or not is_within(peer, trusted):
        return "http"
    return "https" if forwarded.rpartition(",")[2].strip().lower() == "https" else "http"


def is_address(text: str) -> bool:
    return len(text) <= MAX_ADDRESS and is_within(text, ALL)
