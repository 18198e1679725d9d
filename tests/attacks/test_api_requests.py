"""Limits on what key holders and proxies can make the API store, trust and log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network

import httpx
import pytest
import redis

from admin.access import stored_answers
from admin.access.proxies import client_address
from operations.audit_file import AuditFile
from operations.key_file import new_key
from tests.attacks.api import Api, api_in, request
from tests.device_alarm import put_in_alarm
from zelador.errors import InvalidInput
from zelador.settings import load_settings

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Api]:
    with api_in(
        tmp_path_factory.mktemp("api"), redis_url, failure_delay_s=0.3, trusted_proxies=("10.9.0.0/16",)
    ) as found:
        yield found


def is_problem(answer: httpx.Response, status: int, kind: str) -> str:
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
    return answer.json()["detail"]


def stored(api: Api) -> tuple[redis.Redis, list[bytes]]:
    store = redis.Redis.from_url(api.settings.redis.url)
    return store, list(store.scan_iter(f"{{{api.settings.redis.prefix}}}:answer*"))


def test_classify_keeps_no_answers(api: Api) -> None:
    """A viewer with a new Idempotency-Key for each question filled the buffer's Redis."""
    before = set(stored(api)[1])
    with api.client("viewer") as client:
        for number in range(5):
            answer = client.post(
                "/v1/classify", json={"readings": [READING]}, headers={"Idempotency-Key": f"k{number}"}
            )
            assert answer.status_code == 200
        bad = client.post("/v1/classify", json={"readings": [READING]}, headers={"Idempotency-Key": "a b"})
        assert bad.status_code == 200  # the header has no effect here
    assert set(stored(api)[1]) == before


def test_the_bytes_of_stored_answers_are_bounded_for_each_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_answers, "KEY_BYTES", stored_answers.MAX_ANSWER + 3_000)
    with api.client("operator") as client:
        statuses = []
        for number in range(12):
            answer = client.post(
                "/v1/quarantine/discard", json={"ids": ["1-0"]}, headers={"Idempotency-Key": f"k{number}"}
            )
            statuses.append(answer.status_code)
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert "Idempotency-Key" in is_problem(answer, 429, "too-many-requests")
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
        assert client.post("/v1/quarantine/discard", json={"ids": ["1-0"]}).status_code == 200
        again = client.post("/v1/quarantine/discard", json={"ids": ["1-0"]}, headers={"Idempotency-Key": "k0"})
        assert again.headers["idempotency-replayed"] == "true"  # stored responses are still returned
    with api.client("admin") as client:  # another key has its own budget
        assert client.post("/v1/quarantine/discard", json={"ids": ["1-0"]}, headers={"Idempotency-Key": "a"}).is_success
    store, names = stored(api)
    assert sum(store.memory_usage(name) for name in names) < 3 * 3_000
    assert all(0 < store.ttl(name) <= 86_400 for name in names)


def test_no_answer_is_stored_in_a_redis_that_is_nearly_full(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is refused: without a stored response, a repeat would be processed twice."""
    monkeypatch.setattr(redis.Redis, "info", lambda *_, **__: {"maxmemory": 100, "used_memory": 95})
    with api.client("admin") as client:
        before = len(client.get("/v1/keys").json()["keys"])
        answer = client.post("/v1/keys", json={"role": "viewer"}, headers={"Idempotency-Key": "full"})
        assert "nothing was done" in is_problem(answer, 503, "unavailable")
        assert len(client.get("/v1/keys").json()["keys"]) == before


def test_a_request_whose_response_is_too_large_to_store_is_not_processed_twice(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.access.idempotency.MAX_BODY", 10)
    with api.client("admin") as client:
        headers = {"Idempotency-Key": "large"}
        assert client.post("/v1/keys", json={"role": "viewer"}, headers=headers).status_code == 201
        count = len(client.get("/v1/keys").json()["keys"])
        again = client.post("/v1/keys", json={"role": "viewer"}, headers=headers)
        assert "was processed before" in is_problem(again, 409, "conflict")
        assert len(client.get("/v1/keys").json()["keys"]) == count


@pytest.mark.attack_long
def test_changes_have_a_rate_far_below_that_of_reads_and_long_ones_cost_more(api: Api) -> None:
    """An operator wrote 20,000 emoji a hundred times a second into a log that is never compacted."""
    _, key = new_key(api.settings.api.keys_file, "operator")  # each key has its own rate
    with api.client(None) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        long = client.patch("/v1/models/small", json={"notes": "😀" * 20_000}, headers={"If-Match": "*"})
        assert "bytes" in is_problem(long, 422, "invalid-input")
        for field in ("description", "notes"):
            assert client.patch("/v1/models/small", json={field: "x"}, headers={"If-Match": "*"}).status_code == 200
        written = 0
        for number in range(60):
            body = {"notes": f"{number % 2}" * 20_000}
            answer = client.patch("/v1/models/small", json=body, headers={"If-Match": "*"})
            if answer.status_code == 429:
                break
            written += 20_000
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert 100_000 <= written < 400_000
        assert client.get("/v1/models").status_code == 200  # reads go on
        assert client.post("/v1/classify", json={"readings": [READING]}).status_code == 200


def test_a_full_audit_log_stops_operators_but_not_administrators(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is removed to make room, and the key that filled it can still be revoked."""
    monkeypatch.setattr(AuditFile, "total", lambda _: 1 << 40)
    with api.client("operator") as client:
        assert "AUDIT_TOTAL_BYTES" in is_problem(client.post("/v1/runs", json={}), 503, "unavailable")
        assert client.post("/v1/classify", json={"readings": [READING]}).status_code == 200
    with api.client("admin") as client:
        assert client.post("/v1/keys", json={"role": "viewer"}).status_code == 201
        assert "move old ones away" in client.get("/readyz").json()["detail"]


def test_a_forwarded_address_is_trusted_only_from_named_proxies(api: Api) -> None:
    """A forged header must not reach the audit log, or make each wrong key look like another address."""
    with api.client("admin") as client:
        forged = {"X-Forwarded-For": "203.0.113.66", "Forwarded": "for=203.0.113.66", "X-Real-IP": "203.0.113.66"}
        made = client.post("/v1/keys", json={"role": "viewer"}, headers=forged)
        assert made.status_code == 201
        assert client.get("/v1/audit?limit=1").json()["changes"][0]["address"] == "127.0.0.1"
    took = 0.0
    for number in range(8):
        headers = {"Authorization": "Bearer zlk_x", "X-Forwarded-For": f"198.51.100.{number}"}
        took += httpx.get(f"{api.url}/v1/ledger", headers=headers, timeout=10.0).elapsed.total_seconds()
    assert took > 0.5


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("127.0.0.1", ["203.0.113.66"], "127.0.0.1"),
        ("10.9.1.1", [], "10.9.1.1"),
        ("10.9.1.1", ["203.0.113.66"], "203.0.113.66"),
        ("10.9.1.1", ["1.1.1.1, 203.0.113.66"], "203.0.113.66"),  # the client claims the left one itself
        ("10.9.1.1", ["1.1.1.1", "203.0.113.66, 10.9.2.2"], "203.0.113.66"),  # two proxies, two headers
        ("10.9.1.1", ["10.9.3.3"], "10.9.3.3"),
        ("10.9.1.1", ["203.0.113.66:4711"], "203.0.113.66"),
        ("10.9.1.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.9.1.1", ["2001:db8::7"], "2001:db8::7"),
        ("10.9.1.1", ["203.0.113.66, unknown"], "10.9.1.1"),
        ("10.9.1.1", ["203.0.113.66, "], "10.9.1.1"),
        ("10.9.1.1", ["\x1b[2J"], "10.9.1.1"),
        ("10.9.1.1", ["9" * 100_000], "10.9.1.1"),
        ("::ffff:10.9.1.1", ["203.0.113.66"], "203.0.113.66"),
        ("fd00::1", ["203.0.113.66"], "203.0.113.66"),
        ("fd01::1", ["203.0.113.66"], "fd01::1"),
    ],
)
def test_the_client_behind_a_trusted_proxy(peer: str, forwarded: list[str], found: str) -> None:
    trusted = (ip_network("10.9.0.0/16"), ip_network("fd00::/16"))
    assert client_address(peer, forwarded, trusted) == found


def test_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZELADOR_API__TRUSTED_PROXIES", "10.0.0.7, 10.1.0.0/16,::1")
    assert len(load_settings().api.proxies()) == 3
    for wrong in ("*", "proxy.example", "10.0.0.7/8"):
        monkeypatch.setenv("ZELADOR_API__TRUSTED_PROXIES", wrong)
        with pytest.raises(InvalidInput, match="TRUSTED_PROXIES"):
            load_settings()


@pytest.mark.parametrize("path", ["/v1/models/", "/v1/keys/", "/healthz/", "/docs/", "//v1/models", "/v1/runs/x/"])
def test_nothing_is_redirected_to_a_host_that_the_request_named(api: Api, path: str) -> None:
    with api.client("admin") as client:
        answer = client.get(f"{api.url}{path}", headers={"Host": "evil.example"})
        is_problem(answer, 404, "not-found")
        assert "location" not in answer.headers


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_an_action_is_not_taken_for_an_entry(api: Api, action: str) -> None:
    with api.client("admin") as client:
        for method in ("GET", "DELETE", "PUT", "PATCH"):
            answer = client.request(method, f"/v1/quarantine/{action}")
            is_problem(answer, 405, "method-not-allowed")
        assert client.get(f"/v1/quarantine/{action}").headers["allow"] == "POST"
        assert client.get("/v1/quarantine/x").status_code == 422


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_the_documents_are_rendered_once_and_not_sent_again(api: Api, path: str) -> None:
    with api.client(None) as client:
        first = client.get(path)
        assert first.status_code == 200
        tag = first.headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            answer = client.get(path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
        if path == "/docs":
            assert "sha256-" in first.headers["content-security-policy"]


def test_odd_requests_get_an_answer_and_end(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n",
        request(None, "GET /healthz HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"),
        request(None, "POST /v1/keys HTTP/1.1", "Content-Length: -1"),
        request(None, "POST /v1/keys HTTP/1.1", "Content-Length: " + "9" * 30),
    ):  # fmt: skip
        with api.connect() as sock:
            sock.sendall(raw)
            assert sock.recv(65_536).startswith((b"HTTP/1.1 400", b"HTTP/1.1 200", b"HTTP/1.1 401"))
    assert api.answers()
    assert "uvicorn.error" not in {record.name for record in caplog.records}  # a line for each would fill the log


JSON = {"Content-Type": "application/json"}
DATASET = {"from": "2026-11-01T00:00:00Z"}
ODD_BODIES = [
    ("/v1/runs", {"candidates": ["\ud800"]}),
    ("/v1/runs", {"notes": "\ud83d"}),
    ("/v1/devices/unacknowledge", {"devices": ["\ud800"]}),
    ("/v1/classify", {"readings": [{**READING, "\udfff": 1.0}]}),
    ("/v1/devices/press/shelve", {"until": "0001-01-01T00:00:00+14:00"}),
    ("/v1/devices/press/shelve", {"until": "9999-12-31T23:59:59-14:00"}),
    ("/v1/devices/acknowledge", {"until": "9999-12-31T23:59:59.999999Z"}),
    ("/v1/datasets", {**DATASET, "labels_at": "1969-12-31T23:59:59Z"}),
    ("/v1/datasets", {**DATASET, "arrived_to": "1-18446744073709551616"}),
]


@pytest.mark.parametrize(("path", "body"), ODD_BODIES)
def test_an_odd_text_or_time_in_a_body_is_refused(api: Api, path: str, body: dict[str, object]) -> None:
    """Half of a surrogate pair, a year that no text can hold, an entry that Redis cannot have: these were errors of
    the server, or were said to be Redis's.
    """
    with api.client("operator") as client:
        answer = client.post(path, content=json.dumps(body), headers=JSON)
        is_problem(answer, 422, "invalid-input")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z"])
def test_an_odd_time_in_an_address_is_refused(api: Api, moment: str) -> None:
    put_in_alarm(api.settings, "press")
    with api.client("admin") as client:
        for path, names in (("/v1/devices/press/history", ("from", "to")), ("/v1/audit", ("from", "until"))):
            for name in names:
                is_problem(client.get(path, params={name: moment}), 422, "invalid-input")


def test_an_emoji_that_is_escaped_is_a_text(api: Api) -> None:
    body = {"label": "\U0001f600", "device": "press", "from": "2026-11-24T10:00:00Z", "to": "2026-11-24T11:00:00Z"}
    with api.client("operator") as client:
        answer = client.post("/v1/labels", content=json.dumps(body), headers=JSON)
        assert answer.status_code == 201, answer.text
        assert answer.json()["label"]["label"] == "\U0001f600"
