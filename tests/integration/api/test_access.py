"""Keys, the delay of wrong ones, the rate, the audit log and repeated requests, as a caller sees them."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import httpx
import pytest
import redis

from admin.access.attempts import FORGOTTEN_S, FREE, MAX_ADDRESSES, Attempts
from admin.access.rate import Rate
from admin.access.stored_answers import StoredAnswer, StoredAnswers
from operations import key_file, last_use
from operations.audit_entry import ActRecord
from operations.audit_file import AuditFile
from operations.key_file import KeyFile, new_key
from tests.integration.api.test_api import READING, is_problem, serving
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import client as client
from tests.small_models import select_one
from zelador.errors import Conflict, InvalidInput, Unavailable
from zelador.settings import Settings

REPLAYED = "idempotency-replayed"


def with_api(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"api": settings.api.model_copy(update=changes)})


def test_keys_are_created_used_and_revoked_over_the_api(client: httpx.Client, api_settings: Settings) -> None:
    made = client.post("/v1/keys", json={"role": "operator", "note": "tablet", "lasts_s": 3600})
    assert made.status_code == 201
    key, identity = made.json()["key"], made.json()["id"]
    assert key.startswith("zlk_")
    assert len(key) == len("zlk_") + 43  # 256 bits in base64
    assert key not in api_settings.api.keys_file.read_text()
    theirs = {"Authorization": f"Bearer {key}"}
    assert client.get("/v1/ledger", headers=theirs).status_code == 200
    is_problem(client.get("/v1/keys", headers=theirs), 403, "forbidden")
    listed = {each["id"]: each for each in client.get("/v1/keys").json()["keys"]}
    assert (listed[identity]["role"], listed[identity]["note"], listed[identity]["state"]) == (
        "operator", "tablet", "valid",
    )  # fmt: skip
    assert listed[identity]["last_used_at"] is not None
    assert listed[identity]["expires_at"] > listed[identity]["created_at"]
    assert not {"digest", "key"} & set(listed[identity])
    assert client.delete(f"/v1/keys/{identity}").status_code == 204
    assert is_problem(client.get("/v1/ledger", headers=theirs), 401, "unauthorized")["detail"] == "the key is revoked"
    is_problem(client.delete("/v1/keys/none"), 404, "not-found")
    own = next(each["id"] for each in listed.values() if each["role"] == "admin")
    assert "last admin key" in is_problem(client.delete(f"/v1/keys/{own}"), 409, "conflict")["detail"]
    changes = client.get("/v1/audit").json()["changes"]
    assert [(change["what"], change["target"]) for change in changes] == [
        ("key revoked", identity), ("key made", identity),
    ]  # fmt: skip
    assert changes[1]["who"] == f"key {own}"
    assert changes[1]["address"] == "127.0.0.1"
    assert key not in json.dumps(changes)


def test_key_files_from_before_roles_are_read(api_settings: Settings) -> None:
    path = api_settings.api.keys_file
    record, key = new_key(path)
    old = {"id": record.id, "digest": record.digest, "role": "admin", "created_at": "2026-11-24T12:00:00+00:00"}
    path.write_text(json.dumps({"keys": [old]}))
    with serving(api_settings) as client:
        assert client.get("/v1/keys", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    known = KeyFile(path).known(key)
    assert known is not None
    assert (known.role, known.state, known.note) == ("admin", "valid", "")


def test_an_expired_key_is_refused(api_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    path = api_settings.api.keys_file
    _, key = new_key(path, "viewer", lasts_s=3_600)
    known = KeyFile(path).known(key)
    assert known is not None
    assert known.state == "valid"
    monkeypatch.setattr(key_file, "now_iso_second", lambda: "2999-01-01T00:00:00Z")
    assert known.state == "expired"
    for wrong in (0, -1, float("nan"), 10**12):
        with pytest.raises(InvalidInput):
            new_key(path, "viewer", lasts_s=wrong)
    with pytest.raises(InvalidInput, match="note"):
        new_key(path, note="a\nb")
    assert [each.role for each in key_file.list_keys(path)] == ["viewer"]


def test_an_expired_admin_key_does_not_count_as_another(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first, _ = new_key(path)
    new_key(path, "admin", lasts_s=0.001)
    new_key(path, "operator")
    with pytest.raises(Conflict, match="last admin key"):
        key_file.revoke(path, first.id)
    new_key(path)
    assert key_file.revoke(path, first.id).state == "revoked"


def test_wrong_keys_are_answered_ever_later_and_right_ones_at_once(api_settings: Settings) -> None:
    with serving(with_api(api_settings, failure_delay_s=0.4)) as client:
        took = []
        for _ in range(FREE + 4):
            before = time.monotonic()
            is_problem(client.get("/v1/ledger", headers={"Authorization": "Bearer zlk_x"}), 401, "unauthorized")
            took.append(time.monotonic() - before)
        assert [at > 0.05 for at in took[FREE:]] == [True] * 4
        assert took[FREE + 2] >= 0.4
        slow = threading.Thread(
            target=lambda: httpx.get(f"{client.base_url}/v1/ledger", headers={"Authorization": "Bearer zlk_x"})
        )
        slow.start()
        assert client.get("/v1/ledger").status_code == 200
        assert slow.is_alive()
        slow.join()


def test_the_delay_grows_to_a_limit_and_is_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(5.0, clock=lambda: now[0])
    delays = [attempts.failed("a") for _ in range(FREE + 9)]
    assert delays[:FREE] == [0.0] * FREE
    assert delays[FREE:] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert attempts.failed("b") == 0.0
    now[0] += FORGOTTEN_S
    assert attempts.failed("c") == 0.0
    assert attempts.failed("a") == 0.0
    for number in range(MAX_ADDRESSES * 2):
        attempts.failed(f"address {number}")
    assert len(attempts) == MAX_ADDRESSES


def test_each_key_has_a_rate(api_settings: Settings) -> None:
    with serving(with_api(api_settings, rate_per_s=0.5, rate_burst=3)) as client:
        assert [client.get("/v1/models").status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = client.get("/v1/models")
        is_problem(answer, 429, "too-many-requests")
        assert answer.headers["retry-after"] in ("1", "2")
        _, other = new_key(api_settings.api.keys_file, "viewer")
        assert client.get("/v1/models", headers={"Authorization": f"Bearer {other}"}).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_a_token_bucket_refills_up_to_its_size() -> None:
    now = [0.0]
    rate = Rate(2.0, 3, lambda: now[0])
    assert [rate.wait("k") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    now[0] += 0.5
    assert [rate.wait("k"), rate.wait("k")] == [0.0, 0.5]
    now[0] += 1_000.0
    assert [rate.wait("k") == 0.0 for _ in range(4)] == [True, True, True, False]


def test_nothing_changes_while_the_audit_log_cannot_record_it(api_settings: Settings, tmp_path: Path) -> None:
    select_one(api_settings.registry.url)
    (tmp_path / "a file").write_text("")
    with serving(with_api(api_settings, audit_file=tmp_path / "a file" / "audit.jsonl")) as client:
        is_problem(client.put("/v1/selection", json={"model": "small"}), 503, "unavailable")
        assert client.get("/v1/selection").json()["by"] == "test"
        assert client.post("/v1/classify", json={"readings": [READING]}).status_code == 200


def test_the_audit_log_is_read_backwards_through_all_its_files(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = AuditFile(path, 20_000)
    for number in range(200):
        trail.add(ActRecord("key a", "test", f"é{number}", None, "x" * (number % 50)))
    with path.open("ab") as file:
        file.write(b'{"broken\n')
    found = list(trail.newest())
    numbers = [int(change.target[1:]) for change in found]
    assert numbers == list(range(199, 199 - len(numbers), -1))
    assert len(numbers) == 200
    files = sorted(tmp_path.glob("audit-*.jsonl"))
    assert len(files) >= 1
    assert all(each.stat().st_size <= 20_000 for each in files)
    assert [change.target for change in trail.newest(found[3].id)][:2] == [found[4].target, found[5].target]
    assert path.stat().st_mode & 0o777 == 0o600
    trail.add(ActRecord("key a", "large", "y", None, "x" * 1_000_000))
    assert next(trail.newest()).after["bytes"] == 1_000_002
    (tmp_path / "f").write_text("")
    with pytest.raises(Unavailable):
        AuditFile(tmp_path / "f" / "audit.jsonl", 100).check()


def test_a_repeated_post_is_answered_as_before(client: httpx.Client, api_settings: Settings) -> None:
    key = {"Idempotency-Key": "november"}
    first = client.post("/v1/runs", json={"notes": "x"}, headers=key)
    again = client.post("/v1/runs", json={"notes": "x"}, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.content, again.headers["location"]) == (first.content, first.headers["location"])
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert again.headers["x-content-type-options"] == "nosniff"
    is_problem(client.post("/v1/runs", json={"notes": "y"}, headers=key), 422, "idempotency-key-reused")
    is_problem(client.post("/v1/runs", json={"notes": "x"}), 409, "conflict")
    is_problem(client.post("/v1/runs", json={}, headers={"Idempotency-Key": "a b"}), 422, "invalid-input")
    refused = {"Idempotency-Key": "refused"}
    assert client.post("/v1/keys", json={}, headers=refused).status_code == 422
    assert client.post("/v1/keys", json={}, headers=refused).headers[REPLAYED] == "true"
    _, other = new_key(api_settings.api.keys_file, "operator")
    theirs = {**key, "Authorization": f"Bearer {other}"}
    is_problem(client.post("/v1/runs", json={"notes": "x"}, headers=theirs), 409, "conflict")  # a separate key
    store = redis.Redis.from_url(api_settings.redis.url)
    names = list(store.scan_iter(f"{{{api_settings.redis.prefix}}}:answer:*"))
    assert names
    assert all(0 < store.ttl(name) <= 86_400 for name in names)


def test_a_response_is_stored_before_it_is_sent(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that repeats a request at once gets the response, and not that the first is still being processed."""
    store = StoredAnswers.store

    def slowly(self: StoredAnswers, name: str, stored: StoredAnswer, who: str) -> None:
        time.sleep(0.3)  # as on a busy machine
        store(self, name, stored, who)

    monkeypatch.setattr(StoredAnswers, "store", slowly)
    headers = {"Idempotency-Key": "at-once"}
    first = client.post("/v1/keys", json={}, headers=headers)
    again = client.post("/v1/keys", json={}, headers=headers)
    assert (first.status_code, again.status_code, again.headers[REPLAYED]) == (422, 422, "true")
    assert again.content == first.content


def test_a_repeat_of_a_new_key_does_not_show_it_and_stores_it_nowhere(
    client: httpx.Client, api_settings: Settings
) -> None:
    headers = {"Idempotency-Key": "one"}
    first = client.post("/v1/keys", json={"role": "viewer"}, headers=headers).json()
    again = client.post("/v1/keys", json={"role": "viewer"}, headers=headers).json()
    assert again == {**first, "key": None}
    store = redis.Redis.from_url(api_settings.redis.url)
    for name in store.scan_iter(f"{{{api_settings.redis.prefix}}}:answer:*"):
        assert first["key"].encode() not in store.get(name)


def test_of_many_concurrent_repeats_one_is_processed(client: httpx.Client) -> None:
    answers: list[httpx.Response] = []

    def ask() -> None:
        headers = {**client.headers, "Idempotency-Key": "rush"}
        answers.append(httpx.post(f"{client.base_url}/v1/runs", json={}, headers=headers, timeout=120))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.json()["id"] for answer in done}) == 1
    others = [answer.json()["type"] for answer in answers if answer.status_code != 202]
    assert set(others) <= {"/problems/idempotency-key-in-use"}
    assert len(client.get("/v1/runs").json()["runs"]) == 1


def test_without_redis_a_repeatable_post_is_refused(api_settings: Settings) -> None:
    away = api_settings.redis.model_copy(update={"url": "redis://127.0.0.1:1/0", "timeout_s": 0.5})
    select_one(api_settings.registry.url)
    with serving(api_settings.model_copy(update={"redis": away})) as client:
        answer = client.post("/v1/keys", json={"role": "viewer"}, headers={"Idempotency-Key": "x"})
        is_problem(answer, 503, "redis-unavailable")
        assert len(client.get("/v1/keys").json()["keys"]) == 1


def test_last_use_is_recorded_once_a_minute(tmp_path: Path) -> None:
    uses = last_use.LastUse(tmp_path / "keys.json")
    assert (uses.note("a"), uses.note("a"), uses.note("b")) == (True, False, True)
    uses.write("a")
    assert set(last_use.read(tmp_path / "keys-used.json")) == {"a"}
    (tmp_path / "keys-used.json").write_text("{")
    uses.write("b")
    assert set(last_use.read(tmp_path / "keys-used.json")) == {"b"}


def test_our_own_errors_reveal_no_details(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr("operations.views.devices.Devices.page", fail)
    answer = client.get("/v1/devices")
    is_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "a secret of ours" in caplog.text


@pytest.mark.parametrize(
    "odd", ['"\\ud800"', "1e999", "NaN", "1" + "0" * 400, '"\\u0000"', "[[[[]]]]", '"' + "x" * 9_999 + '"']
)
def test_odd_values_are_stored_or_refused_and_break_nothing(client: httpx.Client, odd: str) -> None:
    headers = {"If-Match": "*", "Content-Type": "application/json"}
    for body in (f'{{"metadata": {{"a": {odd}}}}}', f'{{"description": {odd}}}', f'{{"why": {odd}, "notes": "x"}}'):
        answer = client.patch("/v1/models/small", content=body, headers=headers)
        assert answer.status_code in (200, 422), answer.text
    answer = client.put("/v1/selection", content=f'{{"model": "small", "why": {odd}}}', headers=headers)
    assert answer.status_code in (202, 422), answer.text
    assert client.post("/v1/keys", content=f'{{"role": "viewer", "note": {odd}}}', headers=headers).status_code == 422
    for path in ("/v1/models/small", "/v1/models", "/v1/selection/history", "/v1/audit"):
        assert client.get(path).status_code == 200
