"""The registry's folder is restored from a copy under a running API and worker: both report it, and continue."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from command.up.ports import HOST, choose
from inference import service as inference
from ingest import service as ingest
from registry.registry import Registry
from registry.restored.accept import accept
from registry.restored.last_seen import LastSeen, Seen
from tests.command import zelador
from tests.integration.api.test_api import serving
from tests.small_models import select_one, upload
from trainer import service as trainer
from zelador.buffer import connect_redis
from zelador.heartbeat import workers
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MetricsSettings, Settings, environment

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}
Eventually = Callable[..., None]


@pytest.fixture
def local(settings: Settings, tmp_path: Path) -> Settings:
    ports = choose(["api", "metrics"], {}, {})
    api = {"keys_file": tmp_path / "keys.json", "port": ports["api"], "failure_delay_s": 0.0}
    return settings.model_copy(
        update={
            "registry": settings.registry.model_copy(update={"url": str(tmp_path / "registry"), "check_s": 0.2}),
            "api": settings.api.model_copy(update=api),
            "metrics": MetricsSettings(port=ports["metrics"]),
        }
    )


@contextmanager
def running(run: Callable[[Settings, Event], None], settings: Settings) -> Iterator[None]:
    stop = Event()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def pipeline(settings: Settings, eventually: Eventually) -> Iterator[None]:
    """An ingester, which is subscribed, and a worker."""
    unprobed = settings.model_copy(update={"metrics": MetricsSettings()})
    with running(ingest.run, unprobed), running(inference.run, settings), connect_redis(settings.redis) as redis:
        beats = partial(workers, redis, settings.redis.prefix)
        eventually(lambda: any(b["service"] == "ingest" and b["connected_at"] for b in beats()), "the ingester")
        yield


class Device:
    """Sends readings and receives their predictions."""

    def __init__(self, settings: Settings) -> None:
        heard = settings.topics.prediction.format(device_id="press")
        self._settings = settings
        self._link = Link(settings.mqtt, LinkOptions("device-" + settings.redis.prefix, (heard,)), Event())
        self._link.open(60.0)

    def asks(self) -> str:
        """The model that answers one reading."""
        topic = self._settings.topics.reading.format(device_id="press")
        assert self._link.confirmed(self._link.publish([Outgoing(topic, json.dumps(READING).encode())]), 60.0)
        for _ in range(200):
            batch = self._link.receive(10, 0.1)
            self._link.ack(batch)
            if batch:
                return str(json.loads(batch[0].payload)["model"])
        raise AssertionError("no prediction came")

    def close(self) -> None:
        self._link.close()


@pytest.fixture
def device(local: Settings) -> Iterator[Device]:
    found = Device(local)
    yield found
    found.close()


def swapped(local: Settings) -> Path:
    """Replaces the registry by a copy without the newest model; returns the new path of the original."""
    there = Path(local.registry.url)
    aside = there.with_name("aside")
    there.rename(aside)
    there.with_name("backup").rename(there)
    return aside


@pytest.fixture
def registry(local: Settings) -> Registry:
    """`small` is selected; then, after the copy `backup` was made, `newer` is selected."""
    found = select_one(local.registry.url)
    shutil.copytree(local.registry.url, Path(local.registry.url).with_name("backup"))
    found.save("newer", upload(), by="test")
    found.select("newer", by="test")
    return found


def test_both_report_it_and_the_worker_continues_until_it_is_accepted(
    local: Settings, registry: Registry, device: Device, eventually: Eventually, monkeypatch, caplog
) -> None:
    ready = f"http://{HOST}:{local.metrics.port}/readyz"
    with (
        pipeline(local, eventually),
        serving(local) as client,
        connect_redis(local.redis) as redis,
    ):

        def trouble() -> str:
            (worker,) = [w for w in workers(redis, local.redis.prefix) if w["service"] == "inference"]
            return worker["registry_trouble"]

        assert device.asks() == "newer"
        assert client.get("/readyz").status_code == 200
        eventually(lambda: redis.get(f"{{{local.redis.prefix}}}:registry-seen"), "what is there to be noted")
        swapped(local)
        eventually(lambda: "was read before" in trouble(), "the worker's heartbeat to say so")
        said = client.get("/readyz")
        assert said.status_code == 503
        assert "the registry was restored or replaced while in use" in said.json()["detail"]
        assert str(Path(local.registry.url).parent) not in said.text
        assert "zelador_registry_trouble 1.0" in client.get("/metrics").text
        assert client.get("/v1/models").json()["type"] == "/problems/corrupt"
        assert device.asks() == "newer"  # the model that it has
        answer = httpx.get(ready)
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
        assert answer.json()["detail"].startswith("processing readings, but: log/00000005.json is not the entry")
        for name, value in environment(local).items():
            monkeypatch.setenv(name, value)
        health = zelador("health")
        assert (health.code, "restored or replaced" in health.out) == (0, True)
        verified = zelador("models", "verify")
        assert verified.code == 1
        assert "lost entries" in verified.out
        said_by = [record.levelname for record in caplog.records if record.name == "registry.restored.watch"]
        assert said_by == ["ERROR", "ERROR"]  # the API's and the worker's, once each
        accepted = zelador("models", "accept", "--why", "the disk died")
        assert accepted.code == 0
        eventually(lambda: trouble() == "", "the worker to load it")
        eventually(lambda: device.asks() == "small", "its model to be taken up")
        assert client.get("/readyz").json() == {"ready": True, "model": "small", "detail": "small is selected"}
        assert [model["name"] for model in client.get("/v1/models").json()["models"]] == ["small"]
        assert zelador("models", "verify").code == 0

        def accepts() -> list[dict[str, Any]]:
            return [c for c in client.get("/v1/audit").json()["changes"] if c["what"] == "registry accepted"]

        eventually(accepts, "the act to reach the audit file")
        (change,) = accepts()
        assert change["after"]["why"] == "the disk died"


def test_processes_that_start_on_it_report_it_and_work(
    local: Settings, registry: Registry, device: Device, eventually: Eventually
) -> None:
    with serving(local) as client:
        assert client.get("/readyz").status_code == 200
    lost = swapped(local)
    with (
        pipeline(local, eventually),
        running(trainer.run, local.model_copy(update={"metrics": MetricsSettings(port=None)})),  # the worker has it
        serving(local) as client,
        connect_redis(local.redis) as redis,
    ):
        assert device.asks() == "small"
        said = client.get("/readyz")
        assert (said.status_code, said.json()["model"]) == (503, "small")
        assert "lost entries, or an older copy was restored: its log ends before entry 5" in said.json()["detail"]
        assert [model["name"] for model in client.get("/v1/models").json()["models"]] == ["small"]
        for service in ("inference", "trainer"):
            eventually(
                lambda service=service: any(
                    "lost entries" in beat.get("registry_trouble", "")
                    for beat in workers(redis, local.redis.prefix)
                    if beat["service"] == service
                ),
                f"the heartbeat of {service} to say so",
            )
        Path(local.registry.url).rename(lost.with_name("copy"))
        lost.rename(local.registry.url)
        eventually(lambda: client.get("/readyz").status_code == 200, "all to be well again")
        eventually(lambda: device.asks() == "newer", "the model that was lost")


def test_the_api_records_what_it_saw_without_a_request(
    local: Settings, registry: Registry, eventually: Eventually
) -> None:
    with serving(local), connect_redis(local.redis) as redis:
        record = LastSeen(redis, local.redis.prefix)
        eventually(lambda: record.read().seen is not None, "a first look")
        assert record.read().seen == Seen(
            registry.state.registry, 5, registry.state.etag, record.read().seen.at, "the API"
        )


def test_a_model_with_the_same_number_in_the_other_log_is_loaded(
    local: Settings, device: Device, eventually: Eventually, tmp_path: Path
) -> None:
    select_one(local.registry.url)
    select_one(tmp_path / "backup", name="other")  # selection 3 as well
    with (
        pipeline(local, eventually),
        connect_redis(local.redis) as redis,
    ):
        assert device.asks() == "small"
        eventually(lambda: redis.get(f"{{{local.redis.prefix}}}:registry-seen"), "what is there to be noted")
        swapped(local)
        accept(local, by="ana", why="another one")
        eventually(lambda: device.asks() == "other", "the other registry's model")
