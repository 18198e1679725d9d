"""Tells whether a client has an answer already, by the ETag that it sends."""

from __future__ import annotations

from fastapi import Request


def is_known(request: Request, tag: str) -> bool:
    """Returns whether If-None-Match names `tag`, or anything. Weak tags count, as for every GET."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in known.split(",")]
