"""uvicorn for the admin server, with limits on connections and without signal handlers of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from admin.connection import protocol
from admin.connections import BACKLOG, Connections, Network, connection_limit, quiet_accept

GRACE_S = 3
TICKS_A_SECOND = 10  # of uvicorn's main loop


class Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, most_connections: int, proxies: Sequence[Network] = ()) -> None:
        self._connections = Connections(connection_limit(most_connections), tuple(proxies))
        config = uvicorn.Config(
            app,
            http=protocol(self._connections),
            ws="none",
            proxy_headers=False,  # the guard knows which proxies are trusted
            backlog=BACKLOG,
            log_config=None,
            log_level="error",  # a warning for each invalid HTTP request would fill the log
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        config.load()

    def install_signal_handlers(self) -> None:
        """Does nothing: the command handles signals."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        quiet_accept(asyncio.get_running_loop())
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)
