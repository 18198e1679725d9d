"""The ingester as a process: starts its parts, and stops them in order."""

from __future__ import annotations

import logging
from threading import Event

import redis

from ingest.broker_stats import TOPICS
from ingest.look import look_in_background
from ingest.loop import Ingester
from ingest.sessions import SessionRecord
from zelador import endpoints
from zelador.buffer import Writer
from zelador.buffer.archive_stream import end_archive
from zelador.buffer.connection import RedisConnection
from zelador.errors import InvalidInput
from zelador.heartbeat import Heartbeat
from zelador.link import Link
from zelador.metrics import IngestMetrics
from zelador.settings import Settings
from zelador.status import link_options, status_message
from zelador.watchdog import Watchdog

log = logging.getLogger(__name__)

SERVICE = "ingest"


def run(settings: Settings, stop: Event) -> None:
    """Runs until `stop`. Raises Unavailable if the broker or Redis does not answer at startup."""
    client_id = settings.ingest.client_id
    if not client_id.strip():
        raise InvalidInput("ZELADOR_INGEST__CLIENT_ID must not be empty: the broker keeps our queue under it")
    optional = (TOPICS if settings.mqtt.system_topics else ()) + label_filters(settings)
    options = link_options(
        settings.topics, SERVICE, client_id, subscriptions(settings), persistent=True, optional=optional
    )
    link = Link(settings.mqtt, options, stop)
    connection = RedisConnection(settings.redis, stop, wait=link.rest)
    writer = Writer(connection, settings, client_id)
    gathered = IngestMetrics()
    connection.open(settings.redis.start_patience_s)
    if not settings.archive.enabled:
        _end_archive(connection.client, settings.redis.prefix)
    link.open(settings.mqtt.start_patience_s)
    heartbeat = Heartbeat(connection.client, settings.redis.prefix, SERVICE, client_id)
    # A broker that forgets at its own end (drain_s is for it) has no session for us after each start.
    forgets = settings.ingest.drain_s > 0 and not settings.mqtt.system_topics
    sessions = SessionRecord(connection.client, settings.redis.prefix, client_id, known=not forgets)
    ingester = Ingester(settings, link, writer, gathered, heartbeat, sessions)
    watchdog = Watchdog(ingester.facts, settings.health.stalled_after_s, stop, gathered.stalled.set)
    watchdog.start()
    confirmer = writer.confirmer
    confirmer.look()
    close_probes = endpoints.serve(
        settings.metrics,
        gathered.registry,
        lambda: confirmer.refused or watchdog.trouble(),
        lambda: confirmer.remark or sessions.remark(),
    )
    look_in_background(settings, stop)
    log.info("receiving readings from %s", ", ".join(options.filters))
    try:
        ingester.run(stop)
    finally:
        link.close(status_message(settings.topics, SERVICE, client_id, online=False))
        heartbeat.stop()
        close_probes()
        log.info("stopped")


def _end_archive(client: redis.Redis, prefix: str) -> None:
    """Unregisters an archive that was switched off. Without an archiver, Redis would hold readings for it."""
    try:
        end_archive(client, prefix)
    except redis.RedisError as error:
        log.warning("the archive is switched off, but could not be unregistered: %s", error)


def label_filters(settings: Settings) -> tuple[str, ...]:
    """The subscription for labels of periods. A broker with an older access list refuses it; readings still arrive."""
    if not settings.ingest.labels:
        return ()
    topic, group = settings.topics.label.replace("{device_id}", "+"), settings.mqtt.shared_group
    return (f"$share/{group}/{topic}" if group else topic,)


def subscriptions(settings: Settings) -> tuple[str, ...]:
    group = settings.mqtt.shared_group
    return tuple(f"$share/{group}/{topic}" if group else topic for topic in settings.reading_filters)
