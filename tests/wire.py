"""A wire between a client and its server that a test controls: it can stall, be cut, record, and use TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

HOST = "127.0.0.1"


class Tap(Protocol):
    """Records one connection: what each end has sent, which may still be lost by a cut."""

    def sent(self, data: bytes) -> None:
        """Called with bytes sent by the client."""

    def said(self, data: bytes) -> None:
        """Called with bytes sent by the server."""


class Wire:
    """A relay on the loopback to `port`. What it holds back stays in the sockets, so that kernel buffers fill."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, tap: Callable[[], Tap] | None = None) -> None:
        """`tap` makes a Tap for each connection."""
        self._target = port
        self._tls = tls
        self._tap = tap
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._flows = asyncio.Event()
        self._flows.set()
        self._answers = asyncio.Event()
        self._answers.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._delay_s = 0.0
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'mqtt' if self._tls is None else 'mqtts'}://{HOST}:{self.port}"

    def stall(self) -> None:
        """Stops data to the server; data from the server still arrives."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def stall_answers(self) -> None:
        """Stops data from the server."""
        self._loop.call_soon_threadsafe(self._answers.clear)

    def slow_answers(self, seconds: float) -> None:
        """Delays all that the server sends, by so much each time."""
        self._delay_s = seconds

    def flow(self) -> None:
        self._loop.call_soon_threadsafe(self._flows.set)
        self._loop.call_soon_threadsafe(self._answers.set)

    def cut(self) -> None:
        """Resets every connection, like a router that lost its table."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(5)

    def __enter__(self) -> Wire:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        listener.bind((HOST, 0))
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._relay, sock=listener, ssl=self._tls)

    async def _relay(self, link_reader: asyncio.StreamReader, link_writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            link_writer.close()
            return
        ours = {link_writer, broker_writer}
        self._open |= ours
        tap = self._tap() if self._tap is not None else None
        await asyncio.gather(
            self._pump(link_reader, broker_writer, self._flows, tap.sent if tap else None),
            self._pump(broker_reader, link_writer, self._answers, tap.said if tap else None),
            return_exceptions=True,
        )
        self._open -= ours

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flows: asyncio.Event,
        hear: Callable[[bytes], None] | None,
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if hear is not None:
                    hear(data)
                await flows.wait()
                if flows is self._answers and self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass  # cut by the test, or closed by either end: the relay ends
        finally:
            writer.close()

    async def _cut(self) -> None:
        for writer in list(self._open):
            plain = writer.get_extra_info("socket")
            if plain is not None:
                with contextlib.suppress(OSError):  # closed by its other end meanwhile
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _close(self) -> None:
        self._flows.set()
        self._answers.set()
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(tasks, timeout=2) if tasks else None
