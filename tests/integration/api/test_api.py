"""The admin API as its callers see it, over the real registry and a real Redis."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from admin.service import run
from command.up.ports import choose
from operations.key_file import KeyFile, first_key, new_key
from registry.registry import Registry
from tests.small_models import select_one, upload
from zelador.errors import Corrupt
from zelador.settings import Settings

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}


@pytest.fixture
def api_settings(settings: Settings, tmp_path: Path) -> Settings:
    port = choose(["api"], {}, {})["api"]
    return settings.model_copy(
        update={
            "registry": settings.registry.model_copy(update={"url": str(tmp_path / "registry")}),
            "archive": settings.archive.model_copy(update={"url": str(tmp_path / "archive")}),
            "datasets": settings.datasets.model_copy(update={"cache": tmp_path / "datasets"}),
            "api": settings.api.model_copy(
                update={"keys_file": tmp_path / "keys.json", "port": port, "failure_delay_s": 0.0}
            ),
        }
    )


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[httpx.Client]:
    """The running service, and a client with a valid key."""
    _, key = new_key(settings.api.keys_file)
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    url = f"http://{settings.api.host}:{settings.api.port}"
    try:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60.0) as client:
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(httpx.TransportError):
                    client.get("/healthz")
                    break
                assert time.monotonic() < deadline, "the API does not answer"
                time.sleep(0.02)
            yield client
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def client(api_settings: Settings) -> Iterator[httpx.Client]:
    select_one(api_settings.registry.url)
    with serving(api_settings) as found:
        yield found


def is_problem(answer: httpx.Response, status: int, kind: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{kind}", status)
    assert "Traceback" not in answer.text
    return body


def test_health_needs_no_key(client: httpx.Client) -> None:
    client.headers.pop("Authorization")
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"ready": True, "model": "small", "detail": "small is selected"}
    metrics = client.get("/metrics").text
    assert "zelador_models 1.0" in metrics
    assert "zelador_ledger_unaccounted 0.0" in metrics
    assert 'zelador_selected{model="small"' in metrics
    assert client.get("/docs").headers["x-content-type-options"] == "nosniff"
    assert "http" not in client.get("/docs").text.replace("http-equiv", "")


def test_head_gets_the_headers_of_a_get_without_its_body(client: httpx.Client) -> None:
    """Probes and `curl -I` ask any path; a stream of events ends at once."""
    for path in ("/v1/models", "/v1/ledger", "/docs", "/openapi.json", "/console/overview", "/console/stream/overview"):
        answer = client.head(path)
        assert (path, answer.status_code, answer.content) == (path, 200, b"")
    assert client.head("/v1/models/none").status_code == 404
    assert client.head("/v1/selection/rollback").status_code == 405
    client.headers.pop("Authorization")
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert client.head("/v1/models").status_code == 401


def test_a_body_of_another_type_is_refused_with_what_to_send(client: httpx.Client) -> None:
    """`curl -d` without a header sends a form."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = '{"readings": [{"lux": 300.0, "temperature": 25.0, "vibration": 0.4}]}'
    for method, path in (("POST", "/v1/classify"), ("POST", "/v1/runs"), ("PUT", "/v1/selection")):
        refused = is_problem(client.request(method, path, content=body, headers=form), 415, "unsupported-media-type")
        assert "Content-Type: application/json" in refused["detail"]
    is_problem(
        client.post("/v1/classify", content="[", headers={"Content-Type": "application/json"}), 422, "invalid-input"
    )


@pytest.mark.parametrize("value", ["1e39", "-1e39", "1e308", "1" + "0" * 400, "-127"])
def test_a_value_that_no_live_reading_may_have_is_refused(client: httpx.Client, value: str) -> None:
    text = f'{{"readings": [{{"lux": 300.0, "temperature": {value}, "vibration": 0.4}}]}}'
    answer = client.post("/v1/classify", content=text, headers={"Content-Type": "application/json"})
    assert "readings[0]" in is_problem(answer, 422, "invalid-input")["detail"]


def test_models_are_evaluated_side_by_side(client: httpx.Client, api_settings: Settings) -> None:
    Registry.open(api_settings.registry.url).save("other", upload(), by="test")
    readings = [{**READING, "vibration": 0.1 * i, "temperature": 20.0 + i} for i in range(60)]
    labels: list[object] = ["yes" if i > 40 else "no" for i in range(58)] + [None, "no"]
    readings[59]["temperature"] = -127.0
    wanted = {"models": ["small", "other"], "readings": readings, "labels": labels, "source": "may.csv",
              "times": [1_767_261_600 + 60 * i for i in range(60)]}  # fmt: skip
    found = client.post("/v1/evaluations", json=wanted).json()
    assert (found["positive"], found["by"], found["data"]["rows"]) == ("yes", "time", 58)
    assert any("-127 °C" in note for note in found["data"]["notes"])
    assert found["models"][1]["differences"]["F1"]["value"] == 0.0
    (kept,) = client.get("/v1/models/other").json()["evaluations"]
    assert kept["metrics"] == found["models"][1]["metrics"]
    for change, says in (
        ({"labels": ["yes"]}, "labels has 1 items, and there are 60 readings"),
        ({"models": ["nobody"]}, "nobody"),
        ({"positive": "maybe"}, "maybe"),
        ({"labels": ["yes"] * 60}, "only the class 'yes'"),
        ({"times": ["soon"] * 60}, "'soon' is not a time"),
    ):
        refused = client.post("/v1/evaluations", json={**wanted, **change})
        assert refused.status_code in (404, 422)
        assert says in refused.json()["detail"]


def test_models(client: httpx.Client, api_settings: Settings) -> None:
    (model,) = client.get("/v1/models").json()["models"]
    assert (model["name"], model["selected"], model["features"]) == ("small", True, ["lux", "temperature", "vibration"])
    assert client.get("/v1/models/small").json()["digest"] == model["digest"]
    is_problem(client.get("/v1/models/none"), 404, "not-found")
    body = is_problem(client.delete("/v1/models/small"), 409, "model-selected")
    assert "select another one before you delete it" in body["detail"]
    Registry.open(api_settings.registry.url).save("other", upload(), by="test")
    assert client.delete("/v1/models/other").status_code == 204
    is_problem(client.get("/v1/models/other"), 404, "not-found")


def test_selection(client: httpx.Client, api_settings: Settings) -> None:
    Registry.open(api_settings.registry.url).save("other", upload(), by="test")
    before = client.get("/v1/selection")
    assert before.json()["model"] == "small"
    assert before.json()["workers"] == {"live": 0, "of": 0, "refused": []}
    after = client.put("/v1/selection", json={"model": "other", "why": "better"})
    assert after.status_code == 202
    assert (after.json()["model"], after.json()["why"]) == ("other", "better")
    assert after.json()["sequence"] > before.json()["sequence"]
    assert after.json()["by"].startswith("key ")
    is_problem(client.put("/v1/selection", json={"model": "nobody"}), 404, "not-found")
    is_problem(client.put("/v1/selection", json={"modle": "other"}), 422, "invalid-input")
    stale = client.put("/v1/selection", json={"model": "small"}, headers={"If-Match": before.headers["etag"]})
    is_problem(stale, 412, "changed-meanwhile")
    fresh = client.put("/v1/selection", json={"model": "small"}, headers={"If-Match": after.headers["etag"]})
    assert fresh.status_code == 202


def test_classify_by_hand(client: httpx.Client, api_settings: Settings) -> None:
    answer = client.post("/v1/classify", json={"readings": [READING, {**READING, "vibration": 3.5}]}).json()
    assert answer["model"] == "small"
    assert len(answer["predictions"]) == 2
    first = answer["predictions"][0]
    assert first["confidence"] == first["probabilities"][first["label"]]
    Registry.open(api_settings.registry.url).save("plain", upload(with_probabilities=False), by="test")
    other = client.post("/v1/classify", json={"readings": [READING], "model": "plain"}).json()
    assert other["predictions"][0]["probabilities"] is None


@pytest.mark.parametrize("value", [None, "1", True, [1], float("nan"), 10**400])
def test_a_value_that_is_not_a_finite_number_is_named(client: httpx.Client, value: object) -> None:
    text = json.dumps({"readings": [READING, {**READING, "lux": value}]})
    answer = client.post("/v1/classify", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "lux" in answer.text or "JSON" in answer.text


def test_classify_without_a_selection_says_so(api_settings: Settings) -> None:
    with serving(api_settings) as client:
        body = is_problem(client.post("/v1/classify", json={"readings": [READING]}), 409, "conflict")
        assert "no model is selected" in body["detail"]
        assert client.get("/v1/selection").json()["model"] is None
        assert "readings wait" in client.get("/readyz").json()["detail"]


def test_runs_one_at_a_time(client: httpx.Client) -> None:
    first = client.post("/v1/runs", json={"metric": "AUC", "notes": "x"})
    assert first.status_code == 202
    run = first.json()["id"]
    assert first.headers["location"] == f"/v1/runs/{run}"
    assert client.get(f"/v1/runs/{run}").json()["state"] == "queued"
    assert run in is_problem(client.post("/v1/runs", json={}), 409, "conflict")["detail"]
    assert [found["id"] for found in client.get("/v1/runs").json()["runs"]] == [run]
    is_problem(client.get("/v1/runs/none"), 404, "not-found")
    is_problem(client.post("/v1/runs", json={"metric": "R2"}), 422, "invalid-input")


def test_a_queued_run_is_cancelled_at_once(client: httpx.Client) -> None:
    run = client.post("/v1/runs", json={}).json()["id"]
    cancelled = client.post(f"/v1/runs/{run}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert client.get(f"/v1/runs/{run}").json()["error"].startswith("cancelled by key ")
    is_problem(client.post(f"/v1/runs/{run}/cancel"), 409, "conflict")
    is_problem(client.post("/v1/runs/none/cancel"), 404, "not-found")
    assert client.post("/v1/runs", json={}).status_code == 202  # no run is active any more


def test_runs_of_the_command_line_are_listed_among_the_others(client: httpx.Client, api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    kept = {"by": "ana", "metric": "F1", "state": "done", "started_at": "2026-11-24T11:58:38.000Z", "rows": 600}
    ids = [f"20261124_11583{second}-aaaa" for second in range(3)]
    for each in ids:
        registry.put_run(each, {"run": each, **kept})
    newest = client.post("/v1/runs", json={}).json()["id"]
    first = client.get("/v1/runs", params={"limit": 3}).json()
    assert [run["id"] for run in first["runs"]] == [newest, ids[2], ids[1]]
    last = client.get("/v1/runs", params={"limit": 3, "before": first["next"]}).json()
    assert ([run["id"] for run in last["runs"]], last["next"]) == ([ids[0]], None)
    assert set(first["runs"][0]) == set(last["runs"][0])
    shown = client.get(f"/v1/runs/{ids[0]}").json()
    assert (shown["rows"], shown["by"], shown["request"]) == (600, "ana", {"metric": "F1"})


def test_bad_requests(client: httpx.Client, api_settings: Settings) -> None:
    is_problem(client.get("/v1/nowhere"), 404, "not-found")
    is_problem(client.post("/v1/ledger"), 405, "method-not-allowed")
    large = b" " * (api_settings.api.max_body_bytes + 1)
    is_problem(client.post("/v1/classify", content=large), 413, "too-large")
    is_problem(client.post("/v1/classify", content=iter([large[:500_000]] * 4)), 413, "too-large")
    as_json = {"Content-Type": "application/json"}
    is_problem(client.post("/v1/classify", content=b"{", headers=as_json), 422, "invalid-input")
    is_problem(client.post("/v1/classify", content=b"{}"), 415, "unsupported-media-type")


def test_without_redis_models_work_and_the_rest_reports_the_reason(api_settings: Settings) -> None:
    away = api_settings.redis.model_copy(update={"url": "redis://127.0.0.1:1/0", "timeout_s": 0.5})
    settings = api_settings.model_copy(update={"redis": away})
    select_one(settings.registry.url)
    with serving(settings) as client:
        assert client.get("/v1/models").status_code == 200
        assert client.put("/v1/selection", json={"model": "small"}).status_code == 202
        assert client.get("/v1/selection").json()["workers"] is None
        is_problem(client.get("/v1/ledger"), 503, "redis-unavailable")
        is_problem(client.post("/v1/runs", json={}), 503, "redis-unavailable")
        assert client.get("/readyz").status_code == 503
        assert "zelador_ledger" not in client.get("/metrics").text


def test_a_new_key_works_at_once_and_is_never_stored(api_settings: Settings) -> None:
    path = api_settings.api.keys_file
    first = first_key(path)
    assert first is not None
    assert first_key(path) is None
    keys = KeyFile(path)
    assert keys.known(first) is not None
    second = new_key(path)[1]
    assert keys.known(second) is not None
    assert keys.known(first) is not None
    assert keys.known(first[:-1]) is None
    assert first not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(new_key(path)[1])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(keys.known(key) for key in made)
    path.write_text("{")
    with pytest.raises(Corrupt, match="zelador keys new"):
        keys.known(first)


def test_the_first_key_is_shown_to_a_person_and_never_to_a_log(
    api_settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog
) -> None:
    stopped = threading.Event()
    stopped.set()
    run(api_settings, stopped)
    assert not api_settings.api.keys_file.exists()
    assert "there is no admin key yet: zelador keys new makes one" in caplog.text
    assert "zlk_" not in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    run(api_settings, stopped)
    assert "admin key zlk_" in capsys.readouterr().err
    assert "zlk_" not in caplog.text
