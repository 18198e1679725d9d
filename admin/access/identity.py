"""Identifies the sender of a request: the key, its holder, and the actor of its changes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from admin.services import Held
from operations.actor import Actor, waker
from operations.key_file import Key

KEY = "zelador.key"  # where the guard puts the key in the request's scope


def who(request: Request) -> str:
    """Returns the caller's name in the history and the audit log."""
    key: Key = request.scope[KEY]
    return f"key {key.id}"


def address_of(request: Request) -> str | None:
    """Client address; behind a proxy that ZELADOR_API__TRUSTED_PROXIES does not name, the proxy's."""
    return request.client.host if request.client else None


async def acting(request: Request, services: Held) -> Actor:
    wake = waker(services.redis, services.prefix)
    return Actor(who(request), services.audit, address_of(request), wake=wake)


Acting = Annotated[Actor, Depends(acting)]
