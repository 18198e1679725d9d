"""Strangers who stall connections, headers and bodies, and open thousands of sockets."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from admin import connection
from admin.access import bodies
from admin.connections import Connections, connection_limit, share_of
from tests.attacks.api import Api, api_in, read_all, request

UPLOAD = "POST /v1/models?name=x HTTP/1.1"
ZIP = "Content-Type: application/zip"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Api]:
    """An API with deadlines of a tenth of the real ones: the tests only check that there are deadlines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "HEADERS_S", 0.5)
        patch.setattr(connection, "BODY_GRACE_S", 0.3)
        patch.setattr(connection, "READ_STALL_S", 1.0)
        patch.setattr(bodies, "STALLED_S", 0.1)
        with api_in(
            tmp_path_factory.mktemp("api"), redis_url, connections=40, max_upload_bytes=1_000_000, uploads_at_once=2
        ) as found:
            yield found


@pytest.mark.attack_long
def test_a_header_that_never_ends_is_cut_off(api: Api) -> None:
    with api.connect() as idle, api.connect() as slow, api.connect() as kept:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ")
        kept.sendall(request(None, "GET /healthz HTTP/1.1") + b"GET /heal")  # the second one never ends
        deadline = time.monotonic() + 8.0
        open_ones = {idle, slow, kept}
        while open_ones and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                slow.send(b"a")  # single bytes do not extend it
            for sock in open_ones.copy():
                sock.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    try:
                        ended = sock.recv(4_096) == b""
                    except ConnectionError:
                        ended = True
                    if ended:
                        open_ones.discard(sock)
        assert not open_ones


@pytest.mark.attack_long
def test_a_body_sent_byte_by_byte_is_refused(api: Api) -> None:
    with api.connect() as slow:
        slow.sendall(request(api.keys["viewer"], "POST /v1/classify HTTP/1.1", "Content-Length: 1000000") + b"{")
        found = read_all(slow)
    assert found.startswith(b"HTTP/1.1 408 ")


def test_a_response_that_is_never_read_is_dropped(api: Api, eventually) -> None:
    """A client sends requests and reads no answer, so the answers stay in the API's memory."""
    before = connections_to(api)
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        greedy.connect(("127.0.0.1", api.settings.api.port))
        greedy.settimeout(0.2)
        with contextlib.suppress(OSError):
            for _ in range(200):
                greedy.sendall(request(None, "GET /openapi.json HTTP/1.1"))
        eventually(lambda: connections_to(api) <= before, "the connection's end")


def test_many_idle_connections_lock_nobody_out(api: Api) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(api.connect()) for _ in range(120)]
        assert api.answers()
        with api.client("viewer") as client:
            assert client.get("/v1/models").status_code == 200
        assert len(held) == 120


def test_clients_that_read_nothing_lock_nobody_out(api: Api, monkeypatch: pytest.MonkeyPatch, eventually) -> None:
    """More clients than allowed, all without a key, and none of them reads its response."""
    monkeypatch.setattr(connection, "READ_STALL_S", 60.0)  # they are not disconnected by their deadline
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            greedy = stack.enter_context(socket.socket())
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            greedy.connect(("127.0.0.1", api.settings.api.port))
            with contextlib.suppress(OSError):
                greedy.sendall(request(None, "GET /openapi.json HTTP/1.1") * 30)
        eventually(api.answers, "an answer to somebody else")


def test_slow_uploads_do_not_block_other_uploads(api: Api) -> None:
    """Two uploads that stop early must not keep both slots, and two that stop near their end not the memory."""
    long = (ZIP, "Content-Length: 990000")
    with contextlib.ExitStack() as stack:
        for sent in (10, 10, 980_000, 980_000):
            slow = stack.enter_context(api.connect())
            slow.sendall(request(api.keys["admin"], UPLOAD, *long) + b"x" * sent)
        time.sleep(0.2)  # by then they count as stalled
        with api.client() as client:
            headers = {"Content-Type": "application/zip"}
            answer = client.post("/v1/models?name=x", content=b"y" * 900_000, headers=headers)
            assert answer.status_code == 422, answer.text  # it was examined, and is not an archive


@pytest.mark.parametrize("declared", ["Content-Length: 4000000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("role", [None, "viewer", "admin"])
def test_a_rejected_body_is_not_read(api: Api, declared: str, role: str | None) -> None:
    """Without a key, with too low a role, and beyond the limit: the client gets an answer, and the connection ends."""
    key = api.keys[role] if role else None
    line = UPLOAD if role == "viewer" else "POST /v1/keys HTTP/1.1"
    piece = b"x" * 65_536
    if "chunked" in declared:
        piece = b"10000\r\n" + piece + b"\r\n"
    sent = 0
    with api.connect() as sock:
        sock.sendall(request(key, line, declared))
        with contextlib.suppress(OSError):
            while sent < 200_000_000:
                sock.sendall(piece)
                sent += len(piece)
        assert sent < 30_000_000  # bytes in the kernel's buffers, and bytes that are discarded for a while
    with api.connect() as sock:
        sock.sendall(request(key, line, declared))
        with contextlib.suppress(OSError):
            for _ in range(20):
                sock.sendall(piece)
        found = read_all(sock)
    status = {None: b"401", "viewer": b"403", "admin": b"413"}[role]
    assert found.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in found


def test_a_short_refused_body_leaves_the_connection_usable(api: Api) -> None:
    with api.connect() as sock:
        for _ in range(3):
            sock.sendall(request(None, "POST /v1/keys HTTP/1.1", "Content-Length: 20"))
            found = sock.recv(65_536)
            while b"\r\n\r\n" not in found or not found.rstrip().endswith(b"}"):
                found += sock.recv(65_536)
            assert found.startswith(b"HTTP/1.1 401")
            sock.sendall(b"x" * 20)  # like a client that sends its body in a separate packet


def test_a_body_without_a_key_is_short(api: Api) -> None:
    answer = httpx.request("GET", f"{api.url}/readyz", content=b"x" * 100_000, timeout=10.0)
    assert answer.status_code == 413


def test_one_network_counts_as_one_client() -> None:
    assert share_of("10.0.0.1") == "10.0.0.1"
    assert share_of("::ffff:10.0.0.1") == "10.0.0.1"
    assert share_of("2001:db8::1") == share_of("2001:db8::ffff:2") != share_of("2001:db8:0:1::1")
    assert share_of("fe80::1%eth0") == share_of("fe80::2%eth1")
    assert share_of("unix") == "unix"
    assert len(Connections(10)) == 0
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert connection_limit(16) == 16
    assert connection_limit(10**9) <= max(16, soft)


SMALL_SERVER = """
import logging, socket, sys
from admin.server import Server

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

logging.basicConfig(level="INFO")
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen(128)
print(sock.getsockname()[1], flush=True)
Server(app, int(sys.argv[1])).run([sock])
"""


@pytest.mark.parametrize("limit", [512, 5_000])  # below the number of descriptors and, misconfigured, above it
def test_more_sockets_than_file_descriptors_do_not_stop_it(tmp_path: Path, limit: int) -> None:
    """1,200 idle sockets to a process that may open 400 files: it answers, and its log stays short."""
    source = SMALL_SERVER
    if limit == 5_000:
        source = f"import admin.server\nadmin.server.connection_limit = int\n{source}"
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", source, str(limit)],
            stdout=subprocess.PIPE,
            stderr=output,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)),
        )
    try:
        port = int(process.stdout.readline())
        url = f"http://127.0.0.1:{port}/"
        with contextlib.ExitStack() as stack:
            for _ in range(1_200):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    sock.connect(("127.0.0.1", port))
            if limit == 512:
                assert answer_of(url) == "ok"
                assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) < 400
        assert answer_of(url) == "ok"
        assert len(log.read_text().splitlines()) < 30
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def answer_of(url: str) -> str:
    """The answer to a client that tries again: one whose address holds most connections may be cut off for a moment."""
    deadline = time.monotonic() + 10.0
    while True:
        try:
            return httpx.get(url, timeout=10.0).text
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def connections_to(api: Api) -> int:
    """The established connections of this process's server, from the kernel."""
    port = f":{api.settings.api.port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(port) and line.split()[3] == "01" for line in lines)
