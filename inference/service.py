"""The inference worker as a process: starts its parts, and stops them in order."""

from __future__ import annotations

import logging
from threading import Event

from inference.announce import Keeper
from inference.loop import Worker
from inference.observers import Observer, Observers
from inference.swap import Swap
from zelador import endpoints
from zelador.buffer import Reader
from zelador.buffer.connection import RedisConnection
from zelador.heartbeat import Heartbeat
from zelador.link import Link
from zelador.metrics import InferenceMetrics
from zelador.settings import Settings
from zelador.status import link_options, status_message
from zelador.watchdog import Watchdog

log = logging.getLogger(__name__)

SERVICE = "inference"
OBSERVERS: tuple[Observer, ...] = ()  # to add one, name it here; its contract is in observers.py


def run(settings: Settings, stop: Event) -> None:
    """Runs until `stop`. Raises Unavailable when the broker, Redis or the registry cannot be used at startup."""
    instance = settings.inference.instance
    options = link_options(settings.topics, SERVICE, f"zelador-{instance}", quiet_s=settings.inference.quiet_s)
    link = Link(settings.mqtt, options, stop)
    connection = RedisConnection(settings.redis, stop, wait=link.rest)
    reader = Reader(connection, settings, instance)
    metrics = InferenceMetrics()
    connection.open(settings.redis.start_patience_s)
    link.open(settings.mqtt.start_patience_s)
    swap = Swap(settings, stop)
    heartbeat = Heartbeat(connection.client, settings.redis.prefix, SERVICE, instance)
    swap.start()
    if swap.live is None:
        log.info("no model is live yet: readings wait in the buffer until a model is selected")
    observers = Observers(OBSERVERS, metrics)
    worker = Worker(settings, link, reader, swap, metrics, heartbeat, stop, observers)
    watchdog = Watchdog(worker.facts, settings.health.stalled_after_s, stop, metrics.stalled.set)
    watchdog.start()
    close_probes = endpoints.serve(settings.metrics, metrics.registry, watchdog.trouble, lambda: swap.registry_trouble)
    observers.start()
    keeper = Keeper(settings, stop) if settings.alarm.enabled else None
    if keeper is not None:
        keeper.start()
    try:
        worker.run()
    finally:
        stop.set()
        link.close(status_message(settings.topics, SERVICE, f"zelador-{instance}", online=False))
        if keeper is not None:
            keeper.join()
        heartbeat.stop()
        close_probes()
        swap.join()
        observers.close()
        log.info("stopped")
