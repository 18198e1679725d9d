"""Refuses cross-site requests: a change that a browser sends with a cookie must come from a page of this server.

Browsers send `Sec-Fetch-Site` to hosts that they trust (TLS, or the loopback address), and `Origin` with every POST.
A program sends neither, and no page can make a program send a cookie.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PORTS = {"http": 80, "https": 443}


def objection(request: Request) -> str | None:
    """Returns why the request may come from another site; None if it does not."""
    if request.method in SAFE:
        return None
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return None if site in ("same-origin", "none") else f"the request comes from another site ({site[:20]})"
    origin = request.headers.get("origin")
    if origin is None:
        return None
    if _origin_parts(origin) != _origin_parts(f"{request.scope['scheme']}://{request.headers.get('host', '')}"):
        return "the request comes from a page of another host (Origin)"
    return None


def _origin_parts(url: str) -> tuple[str, str | None, int | None]:
    try:
        found = urlsplit(url)
        return found.scheme, found.hostname, found.port or PORTS.get(found.scheme)
    except ValueError:
        return "", None, None
