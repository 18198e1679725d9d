"""A selection until every worker runs it, rolling back, the history, and recent readings, devices and predictions."""

from __future__ import annotations

import httpx
import msgspec
import pytest
import redis

from registry.registry import Registry
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import client as client
from tests.integration.api.test_api import is_problem
from tests.integration.test_quarantine import Site
from tests.small_models import upload, upload_compared
from zelador.buffer.keys import Keys
from zelador.heartbeat import Heartbeat
from zelador.messages import Arrival, Reading
from zelador.settings import Settings


@pytest.fixture
def store(api_settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(api_settings.redis.url, protocol=2)


def worker(store: redis.Redis, settings: Settings, name: str) -> Heartbeat:
    return Heartbeat(store, settings.redis.prefix, "inference", name)


def test_a_selection_is_followed_until_every_worker_confirmed(
    client: httpx.Client, api_settings: Settings, store: redis.Redis
) -> None:
    Registry.open(api_settings.registry.url).save("other", upload(), by="test")
    answer = client.put("/v1/selection", json={"model": "other", "why": "better"})
    assert answer.status_code == 202
    where, sequence = answer.headers["location"], answer.json()["sequence"]
    assert where == f"/v1/operations/{sequence}"
    assert (answer.json()["state"], answer.json()["workers"]) == ("pending", {"live": 0, "of": 0, "refused": []})
    first, second = worker(store, api_settings, "one"), worker(store, api_settings, "two")
    first.beat(model="other", selection=sequence)
    second.beat(model="small", selection=sequence - 1)
    found = client.get(where).json()
    assert (found["state"], found["workers"]) == ("pending", {"live": 1, "of": 2, "refused": []})
    assert [(each["worker"], each["state"]) for each in found["each"]] == [("one", "live"), ("two", "pending")]
    second.beat(model="small", selection=sequence - 1, refused_selection=sequence, refused_reason="no")
    found = client.get(where).json()
    assert (found["state"], found["workers"]["refused"]) == ("refused", [{"worker": "two", "reason": "no"}])
    second.beat(model="other", selection=sequence)
    assert client.get(where).json()["state"] == "done"
    rollout = client.get("/v1/selection/rollout").json()
    assert (rollout["sequence"], [each["state"] for each in rollout["workers"]]) == (sequence, ["live", "live"])
    client.put("/v1/selection", json={"model": "small"})
    assert client.get(where).json()["state"] == "superseded"
    for unknown in ("1", "0", "x", "99999999999999999999"):
        is_problem(client.get(f"/v1/operations/{unknown}"), 404, "not-found")
    change = client.get("/v1/audit").json()["changes"][1]
    assert (change["what"], change["before"]["model"], change["after"]["model"]) == ("model selected", "small", "other")


def test_a_selection_says_what_is_against_the_model(client: httpx.Client, api_settings: Settings) -> None:
    """A model of a run with nothing to learn was selected in place of a much better one, without a word."""
    Registry.open(api_settings.registry.url).save("worse", upload_compared("small"), by="test")
    found = client.put("/v1/selection", json={"model": "worse"})
    assert found.status_code == 202
    assert found.json()["warnings"] == [
        "its run recommends no model: it found nothing to learn, or could not test it",
        "it is worse than the selected model on the same readings (F1 -0.400, 95 % interval -0.500 to -0.300)",
    ]
    assert client.put("/v1/selection", json={"model": "small"}).json()["warnings"] == []


def test_a_model_that_the_plant_cannot_feed_is_refused_unless_forced(
    client: httpx.Client, api_settings: Settings
) -> None:
    """Without a warning, each worker would refuse it in a log of its own, which nobody reads."""
    registry = Registry.open(api_settings.registry.url)
    registry.save("wide", upload(features=("lux", "humidity", "vibration")), by="test")
    registry.save("unnamed", upload(features=("x0", "x1", "x2")), by="test")
    refused = is_problem(client.put("/v1/selection", json={"model": "wide"}), 409, "features-missing")
    assert "wide needs humidity, and the plant sends lux, temperature, vibration" in refused["detail"]
    refused = is_problem(client.put("/v1/selection", json={"model": "unnamed"}), 409, "features-missing")
    assert "whose columns have no names" in refused["detail"]
    is_problem(client.put("/v1/selection", json={"model": "none"}), 404, "not-found")
    assert client.get("/v1/selection").json()["model"] == "small"
    assert client.get("/v1/audit").json()["changes"] == []
    assert client.put("/v1/selection", json={"model": "wide", "force": True}).status_code == 202
    assert client.get("/v1/selection").json()["model"] == "wide"
    assert client.put("/v1/selection", json={"model": "small"}).status_code == 202
    refused = is_problem(client.post("/v1/selection/rollback"), 409, "features-missing")
    assert "wide needs humidity" in refused["detail"]
    assert client.get("/v1/selection").json()["model"] == "small"
    assert client.post("/v1/selection/rollback", json={"force": True}).json()["model"] == "wide"


def test_rolling_back_goes_back_step_by_step(client: httpx.Client, api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    for name in ("b", "c"):
        registry.save(name, upload(), by="test")
        assert client.put("/v1/selection", json={"model": name}).status_code == 202
    stale = client.get("/v1/selection").headers["etag"]
    back = client.post("/v1/selection/rollback", json={"why": "false alarms"})
    assert (back.status_code, back.json()["model"], back.json()["rolled_back"]) == (202, "b", True)
    assert back.headers["location"] == f"/v1/operations/{back.json()['sequence']}"
    late = client.post("/v1/selection/rollback", headers={"If-Match": stale})
    is_problem(late, 412, "changed-meanwhile")
    assert client.post("/v1/selection/rollback").json()["model"] == "small"
    is_problem(client.post("/v1/selection/rollback"), 409, "conflict")
    history = client.get("/v1/selection/history").json()
    assert [each["model"] for each in history["selections"]] == ["small", "b", "c", "b", "small"]
    assert history["next"] is None
    assert history["selections"][1]["why"] == "false alarms"
    page = client.get("/v1/selection/history", params={"limit": 2}).json()
    assert page["next"] == page["selections"][-1]["sequence"]
    rest = client.get("/v1/selection/history", params={"limit": 3, "before": page["next"]}).json()
    assert ([each["model"] for each in rest["selections"]], rest["next"]) == (["c", "b", "small"], None)


@pytest.mark.parametrize("path", ["readings", "predictions", "quarantine", "devices/press/events"])
def test_an_invalid_position_is_refused(path: str, client: httpx.Client) -> None:
    """Redis refuses such ids; the API then said that Redis does not answer."""
    for before in ("0-0", "49665200854630368007-1", "1-49665200854630368007", "\u0663-\u0663", "x"):
        answer = client.get(f"/v1/{path}", params={"before": before})
        assert answer.status_code == 422, (before, answer.text)


def arrival(device: str, *numbers: int) -> Arrival:
    readings = tuple(Reading(f"{device}-{n}", (float(n), 1.0, 2.0), 1_795_514_400_000 + n, None, n) for n in numbers)
    return Arrival(device, readings, 1_795_514_400_500, array=len(numbers) > 1)


def test_readings_come_newest_first_in_pages_across_entries(client: httpx.Client, api_settings: Settings) -> None:
    site = Site(api_settings)
    site.writer.append([arrival("a", 1), arrival("b", 1, 2, 3)], [])
    site.writer.append([arrival("a", 2, 3)], [])
    whole = client.get("/v1/readings").json()
    ids = [each["id"] for each in whole["readings"]]
    assert (ids, whole["next"]) == (["a-3", "a-2", "b-3", "b-2", "b-1", "a-1"], None)
    assert whole["readings"][0]["values"] == {"lux": 3.0, "temperature": 1.0, "vibration": 2.0}
    assert whole["readings"][0]["measured_at"] == "2026-11-24T10:00:00.003Z"
    paged, following = [], None
    while True:
        query = {"limit": 1, **({"before": following} if following else {})}
        page = client.get("/v1/readings", params=query).json()
        paged += [each["id"] for each in page["readings"]]
        following = page["next"]
        if following is None:
            break
    assert paged == ids
    only = client.get("/v1/readings", params={"device": "a"}).json()["readings"]
    assert [each["id"] for each in only] == ["a-3", "a-2", "a-1"]
    for wrong in ("x", "1", "99999999999999999999-1", "1-1.x", "(1-1"):
        is_problem(client.get("/v1/readings", params={"before": wrong}), 422, "invalid-input")


def test_devices_and_predictions(client: httpx.Client, api_settings: Settings, store: redis.Redis) -> None:
    site = Site(api_settings)
    site.writer.append([arrival("a", 1, 2, 5), arrival("b/ü", 1)], [])
    keys = Keys(api_settings.redis.prefix)
    at = "2026-11-24T10:00:00.004Z"
    store.hset(keys.last_predictions, "a", msgspec.json.encode(("yes", None, at, "small")))
    found = client.get("/v1/devices").json()
    assert (found["total"], found["next"]) == (2, None)
    device = client.get("/v1/devices/a").json()
    assert device in found["devices"]
    assert (device["readings"], device["seq"], device["missing"], device["gaps"]) == (3, 5, 2, [[3, 4]])
    assert (device["label"], device["confidence"], device["predicted_at"]) == ("yes", None, at)
    is_problem(client.get("/v1/devices/nobody"), 404, "not-found")
    assert client.get("/v1/devices", params={"limit": 1}).json()["next"] == 1
    for number in range(5):
        made = {"id": str(number), "device_id": "a" if number % 2 else "b", "label": "no"}
        store.xadd(keys.predictions, {"d": msgspec.json.encode(made)})
    page = client.get("/v1/predictions", params={"limit": 2}).json()
    assert [each["id"] for each in page["predictions"]] == ["4", "3"]
    rest = client.get("/v1/predictions", params={"before": page["next"]}).json()
    assert ([each["id"] for each in rest["predictions"]], rest["next"]) == (["2", "1", "0"], None)
    only = client.get("/v1/predictions", params={"device": "a"}).json()["predictions"]
    assert [each["id"] for each in only] == ["3", "1"]
