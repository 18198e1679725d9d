"""Taking over the ingester's session destroys its messages. That is counted and reported, even after a restart."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import paho.mqtt.client as mqtt
import pytest

from ingest.loop import Ingester
from ingest.service import subscriptions
from ingest.sessions import SessionRecord
from tests.buffers import make_writer
from zelador.heartbeat import Heartbeat
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions
from zelador.metrics import IngestMetrics
from zelador.settings import Settings


class Life:
    """One run of the ingester's process."""

    def __init__(self, settings: Settings, known: bool = True) -> None:
        self.stop = Event()
        options = LinkOptions(settings.ingest.client_id, subscriptions(settings), persistent=True)
        self.link = Link(settings.mqtt, options, self.stop)
        self.link.open(60.0)
        writer = make_writer(settings, self.stop, "ingest")
        client, prefix = writer.connection.client, settings.redis.prefix
        self.sessions = SessionRecord(client, prefix, settings.ingest.client_id, known)
        beat = Heartbeat(client, prefix, "ingest", "ingest")
        self.ingester = Ingester(settings, self.link, writer, IngestMetrics(), beat, self.sessions)
        self.ledger = LedgerReader(client, prefix)
        self.ingester.step()

    @property
    def lost(self) -> int:
        return self.ledger.lost_sessions().count

    def end(self) -> None:
        self.link.close()
        self.stop.set()


def take_over(settings: Settings) -> None:
    """Connects as the ingester with a clean start, and leaves."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, settings.ingest.client_id, protocol=mqtt.MQTTv5)
    host, _, port = settings.mqtt.url.removeprefix("mqtt://").partition(":")
    client.connect(host, int(port), clean_start=True)
    while not client.is_connected():
        client.loop(0.1)
    client.disconnect()


@pytest.mark.attack_long
def test_a_session_that_is_taken_over_is_counted_once_and_survives_a_restart(
    settings: Settings, eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    life = Life(settings)
    assert (life.lost, life.sessions.remark()) == (0, None)
    take_over(settings)
    eventually(lambda: life.ingester.step() or life.lost == 1, "the loss to be counted")
    life.ingester.step()
    assert "may be lost" in (life.sessions.remark() or "")
    assert "the broker no longer has the session" in caplog.text
    life.end()
    again = Life(settings)
    assert again.lost == 1
    assert "may be lost" in (again.sessions.remark() or "")
    assert "may be lost" in (again.ledger.lost_sessions().remark() or "")
    again.end()


def test_a_session_that_is_lost_while_no_ingester_runs_is_counted_at_the_next_start(settings: Settings) -> None:
    Life(settings).end()
    take_over(settings)
    life = Life(settings)
    assert life.lost == 1
    life.end()


@pytest.mark.parametrize("known", [True, False])
def test_a_first_start_or_a_broker_without_memory_counts_no_loss(settings: Settings, known: bool) -> None:
    life = Life(settings, known)
    assert life.lost == 0
    life.end()
    if not known:
        take_over(settings)
    life = Life(settings, known)
    assert life.lost == 0
    life.end()
