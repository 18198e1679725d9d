"""Two ingesters with one client id: each would take the other's connection many times a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from threading import Event

import pytest

from command.doctor import buffer_facts
from command.doctor.finding import Finding
from command.doctor.processes import rivals
from ingest import service
from zelador.buffer.archive_stream import ArchiveStream
from zelador.buffer.connection import RedisConnection
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import Settings

WINDOW_S = 2.0

Eventually = Callable[..., None]


def test_two_ingesters_with_one_client_id_are_named_and_slow_down(
    settings: Settings, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stop = Event()
    threads = [threading.Thread(target=service.run, args=(settings, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: "another ingester runs with the client id" in caplog.text, "it to be said", 20.0)
        found: list[Finding] = []  # kept, because each of the two is briefly disconnected

        def is_found() -> bool:
            found[:] = rivals("ingest", buffer_facts.beats(settings.redis))
            return bool(found)

        eventually(is_found, "the doctor to find it")
        (finding,) = found
        assert finding.state == "broken"
        assert f"two processes run as {settings.ingest.client_id}" in finding.what
        assert "ZELADOR_INGEST__CLIENT_ID" in (finding.fix or "")
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_one_ingester_that_is_restarted_has_no_rival(settings: Settings, eventually: Eventually) -> None:
    for _ in range(2):
        stop = Event()
        thread = threading.Thread(target=service.run, args=(settings, stop))
        thread.start()
        eventually(lambda: any(b.facts.get("connected_at") for b in buffer_facts.beats(settings.redis)), "it")
        assert list(rivals("ingest", buffer_facts.beats(settings.redis))) == []
        stop.set()
        thread.join(60)


def test_an_archive_that_is_switched_off_is_unregistered_where_no_archiver_runs(
    settings: Settings, eventually: Eventually
) -> None:
    """If each service is started separately, Redis would hold readings for the archive until it is full."""
    stream = ArchiveStream(RedisConnection(settings.redis, Event()), settings.redis.prefix)
    stream.begin(1_000)
    off = settings.model_copy(update={"archive": settings.archive.model_copy(update={"enabled": False})})
    for given in (settings, off):
        stop = Event()
        thread = threading.Thread(target=service.run, args=(given, stop))
        thread.start()
        eventually(lambda: any(b.facts.get("connected_at") for b in buffer_facts.beats(settings.redis)), "it")
        stop.set()
        thread.join(60)
        is_registered = LedgerReader(stream.connection.client, settings.redis.prefix).read().archive is not None
        assert is_registered == given.archive.enabled


def test_takeovers_become_rare(settings: Settings) -> None:
    """This does not depend on the broker's reason: Mosquitto 2.0 closes the connection without one.

    Each connection works, so that only the number of brief ones can slow down the next.
    """
    pairs = [[rival(settings, lane) for _ in range(2)] for lane in (True, False)]
    links = [link for pair in pairs for link in pair]
    for link in links:
        link.open(60.0)
    device = Link(settings.mqtt, LinkOptions(f"device-{settings.redis.prefix}"), Event())
    device.open(60.0)
    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < WINDOW_S or not all(link.brief >= 3 for link in links):
        assert spent < 20.0
        device.publish([Outgoing(f"{settings.redis.prefix}/1", b"1")])
        for link in links:
            link.ack(link.receive(10, 0.01))
    assert all(link.reconnects < 9 for link in links)  # without the back-off it was eight a second
    for link in (*links, device):
        link.close()


def rival(settings: Settings, lane: bool) -> Link:
    options = LinkOptions(f"same-{settings.redis.prefix}-{lane}", (f"{settings.redis.prefix}/+",), persistent=True)
    return Link(settings.mqtt.model_copy(update={"lane": lane}), options, Event())
