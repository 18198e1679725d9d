"""The process of the admin server."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from pathlib import Path
from threading import Event

import redis

from admin.app import make_app
from admin.connections import BACKLOG
from admin.console.console import Console
from admin.server import GRACE_S, Server
from admin.services import Services
from archive.dataset.engine import OPEN
from operations.audit_stream import AuditMover
from operations.key_file import first_key
from zelador.buffer.durability import NotSynced
from zelador.buffer.written import persistence
from zelador.errors import Unavailable
from zelador.settings import Settings

log = logging.getLogger(__name__)

ENGINES_S = 5.0  # in which reads of data sets end


def run(settings: Settings, stop: Event) -> None:
    """Serves until `stop` is set.

    Raises Unavailable if the port is in use, the registry cannot be used, or Redis does not sync as required.
    """
    app = make_app(settings)
    services: Services = app.state.services
    _check_redis(services.redis)
    sock = _listen(settings.api.host, settings.api.port)
    _show_first_key(settings.api.keys_file)
    server = Server(app, settings.api.connections, settings.api.proxies())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="http", daemon=True)
    thread.start()
    services.watch.start(stop)
    console: Console = app.state.console
    console.start(stop)
    mover = AuditMover(services.patient_redis, services.prefix, services.audit)
    mover.start(stop)
    host, port = sock.getsockname()[:2]
    log.info("serving on http://%s:%d", host, port)
    while not stop.wait(0.5) and thread.is_alive():
        pass
    services.run_streams.close()
    services.histories.close()
    console.close()
    server.should_exit = True
    thread.join(timeout=GRACE_S + 2)
    if not OPEN.end(ENGINES_S):
        log.warning("a data set is still being read")
    services.watch.join()
    mover.join()
    services.classifiers.close()
    log.info("stopped")


def _check_redis(client: redis.Redis) -> None:
    """Checks the durability of Redis. Redis may be down; one that would lose acknowledged readings is an error."""
    try:
        refusal, remark = persistence(client)
    except NotSynced as error:
        raise Unavailable(str(error)) from None
    except (redis.RedisError, OSError) as error:
        log.warning("Redis does not answer: %s", error)
    else:
        if refusal or remark:
            log.warning(refusal or remark)


def _show_first_key(path: Path) -> None:
    """Makes the first admin key, and shows it only on a terminal; elsewhere it would end up in logs."""
    if not sys.stderr.isatty():
        if not path.exists():
            log.warning("there is no admin key yet: zelador keys new makes one")
    elif (key := first_key(path)) is not None:
        print(f"zelador: admin key {key} (shown once; zelador keys new makes another)", file=sys.stderr)  # noqa: T201


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only with this
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise Unavailable(
            f"{host}:{port} cannot be opened ({error.strerror}); set ZELADOR_API__PORT to another port"
        ) from None
    sock.listen(BACKLOG)
    return sock
