"""A worker whose Redis hangs is not ready, reports why (HTTP, metric, log), and continues when Redis is back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from threading import Event

import httpx
import pytest

from command.health import health
from command.up.ports import HOST, choose
from ingest.service import run
from tests.integration.test_redis_away import OwnRedis
from tests.integration.test_redis_away import own as own
from zelador.errors import InvalidInput
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import HealthSettings, IngestSettings, MetricsSettings, Settings


@pytest.fixture
def ingesting(settings: Settings, own: OwnRedis) -> Settings:
    port = choose(["metrics"], {}, {})["metrics"]
    redis = settings.redis.model_copy(update={"url": own.url, "timeout_s": 0.5})
    return settings.model_copy(
        update={
            "redis": redis,
            "metrics": MetricsSettings(port=port),
            "health": HealthSettings(stalled_after_s=1.0),
        }
    )


def test_readiness_metric_and_log_report_a_stall(
    ingesting: Settings, own: OwnRedis, eventually: Callable[..., None], caplog, monkeypatch, capsys
) -> None:
    caplog.set_level("INFO")
    stop = Event()
    thread = threading.Thread(target=run, args=(ingesting, stop))
    thread.start()
    base = f"http://{HOST}:{ingesting.metrics.port}"
    device = Link(ingesting.mqtt, LinkOptions("device-" + ingesting.redis.prefix), Event())
    device.open(60.0)

    def ready() -> httpx.Response | None:
        try:
            return httpx.get(f"{base}/readyz", timeout=2.0)
        except httpx.TransportError:
            return None

    try:
        eventually(lambda: (answer := ready()) is not None and answer.status_code == 200, "a ready ingester")
        assert httpx.get(f"{base}/healthz").status_code == 200
        assert own.process is not None
        own.process.send_signal(signal.SIGSTOP)
        topic = ingesting.topics.reading.format(device_id="press")
        readings = [Outgoing(topic, b'{"lux": 1, "temperature": 2, "vibration": 3, "id": "%d"}' % n) for n in range(9)]
        assert device.confirmed(device.publish(readings), 60.0)
        eventually(lambda: (answer := ready()) is not None and answer.status_code == 503, "it to say so")
        said = ready()
        assert said is not None
        assert "cannot store readings: " in said.json()["detail"]
        eventually(lambda: "zelador_stalled 1.0" in httpx.get(f"{base}/metrics").text, "the metric")
        assert any(line.startswith("stalled: ") for line in caplog.messages)
        monkeypatch.setenv("ZELADOR_METRICS__PORT", str(ingesting.metrics.port))
        with pytest.raises(Exception, match="1"):
            health(None)
        assert "cannot store readings" in capsys.readouterr().out
        own.process.send_signal(signal.SIGCONT)
        eventually(lambda: (answer := ready()) is not None and answer.status_code == 200, "it to get on again")
        health(None)
        eventually(lambda: "making progress again" in caplog.messages, "the log to say so")
        client = own.client()
        key = f"{{{ingesting.redis.prefix}}}:ledger"
        eventually(lambda: client.hget(key, "accepted") == b"9", "all readings")
        client.close()
    finally:
        stop.set()
        thread.join(60)
        device.close()
    assert not thread.is_alive()


@pytest.mark.parametrize("name", ["", "  "])
def test_an_ingester_without_a_stable_name_does_not_start(settings: Settings, name: str) -> None:
    nameless = settings.model_copy(update={"ingest": IngestSettings(client_id=name)})
    with pytest.raises(InvalidInput, match="ZELADOR_INGEST__CLIENT_ID must not be empty"):
        run(nameless, Event())
