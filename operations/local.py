"""The person at this machine's command line as an actor, and where their acts are recorded."""

from __future__ import annotations

import weakref

from operations.actor import Actor, waker
from operations.audit_file import open_audit_file
from operations.audit_stream import AuditStream
from zelador.buffer import connect_redis
from zelador.errors import Unavailable
from zelador.settings import Settings
from zelador.user import user

CONNECT_S = 1.0  # a missing Redis must not delay a command
VIA = "command line"


def local_actor(settings: Settings) -> Actor:
    """The user of this process. Their acts go to the admin server through Redis.

    If Redis is away or refuses writes, they go to the file beside the keys. Raises Unavailable when neither can be
    written.
    """
    quick = settings.redis.model_copy(update={"timeout_s": min(CONNECT_S, settings.redis.timeout_s)})
    client = connect_redis(quick)
    prefix = settings.redis.prefix
    stream = AuditStream(client, prefix)
    try:
        stream.check()
    except Unavailable:
        client.close()
        return file_actor(settings)
    weakref.finalize(stream, client.close)  # the connection ends with the actor
    return Actor(user(), stream, via=VIA, wake=waker(client, prefix))


def file_actor(settings: Settings) -> Actor:
    """The user of this process. Their acts go to the audit file beside the keys. Raises Unavailable."""
    audit = open_audit_file(settings.api)
    audit.check()
    return Actor(user(), audit, via=VIA)
