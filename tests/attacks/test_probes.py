"""Strangers at a worker's probes: many sockets, and requests that never end."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from command.up.ports import choose
from zelador import endpoints
from zelador.errors import Unavailable
from zelador.settings import MetricsSettings


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(endpoints, "TIMEOUT_S", 0.5)
    port = choose(["probes"], {}, {})["probes"]
    close = endpoints.serve(MetricsSettings(port=port), CollectorRegistry(), lambda: None)
    yield port
    close()


def test_many_connections_use_few_threads_and_block_no_probe(port: int, eventually) -> None:
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5.0) as answer:
            assert answer.status == 200
        eventually(lambda: threading.active_count() <= before + endpoints.MAX_CONNECTIONS + 1, "the threads' end")


def test_a_probe_that_is_being_answered_is_not_closed_for_silent_connections() -> None:
    asked, answer_it = threading.Event(), threading.Event()

    def trouble() -> None:
        asked.set()
        assert answer_it.wait(30)

    port = choose(["probes"], {}, {})["probes"]
    close = endpoints.serve(MetricsSettings(port=port), CollectorRegistry(), trouble)
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as probe:
        probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert asked.wait(30)
        with contextlib.ExitStack() as stack:
            silent = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
                for _ in range(2 * endpoints.MAX_CONNECTIONS)
            ]
            assert silent[0].recv(1) == b""  # the oldest of them is closed
            answer_it.set()
            assert probe.recv(100).startswith(b"HTTP/1.0 200")
    close()


def test_a_port_that_is_taken_names_its_setting(port: int) -> None:
    with pytest.raises(Unavailable, match="set ZELADOR_METRICS__PORT to another port"):
        endpoints.serve(MetricsSettings(port=port), CollectorRegistry(), lambda: None)


def test_a_request_sent_byte_by_byte_is_ended(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=0.1) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nX-A: ")
        for _ in range(60):
            with contextlib.suppress(TimeoutError):
                try:
                    sock.sendall(b"a")
                    ended = sock.recv(1_000) == b""
                except ConnectionError:
                    ended = True
                if ended:
                    return
        pytest.fail("it was never ended")
