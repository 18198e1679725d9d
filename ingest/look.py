"""Looks for messages that no profile reads, for a minute after the start: a second session, at QoS 0, for all topics.

It runs on a separate thread, and reads at most MAX_PER_S messages a second: above that it disconnects for a while.
"""

from __future__ import annotations

import logging
import threading
import time
from threading import Event

import msgspec
import redis

from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.errors import Unavailable
from zelador.link.connection import Connection, ConnectionOptions
from zelador.settings import Settings
from zelador.unread import UnreadTopics

log = logging.getLogger(__name__)

PERIOD_S = 60.0
ROUND_S = 10.0  # between writes of the result to Redis
MAX_PER_S = 1_000
PAUSE_S, LONGEST_PAUSE_S = 5.0, 30.0
KEPT_S = 86_400
LOGGED_TOPICS = 5  # topics in the log


def look_in_background(settings: Settings, stop: Event, look_s: float = PERIOD_S) -> threading.Thread:
    """Starts the thread. The result goes to the log, and to Redis for the doctor."""
    thread = threading.Thread(target=_look, args=(settings, stop, look_s), name="look", daemon=True)
    thread.start()
    return thread


def _look(settings: Settings, stop: Event, look_s: float) -> None:
    topics = UnreadTopics(settings)
    try:
        until, found = time.monotonic() + look_s, topics.found()
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            listen(settings, f"{settings.ingest.client_id}-look", topics, stop, min(left, ROUND_S))
            found = topics.found()
            with connect_redis(settings.redis) as client:
                client.set(Keys(settings.redis.prefix).unread, msgspec.json.encode(found), ex=KEPT_S)
    except (Unavailable, redis.RedisError, OSError) as error:
        log.debug("could not look for messages that no profile reads: %s", error)
        return
    for each in [each for each in found if each.advice][:LOGGED_TOPICS]:
        log.warning("%s publishes on %r, and no profile reads it; %s", each.device[:80], each.topic, each.advice)


def listen(settings: Settings, client_id: str, topics: UnreadTopics, stop: Event, look_s: float) -> None:
    """Notes the topics that are published on for `look_s` seconds. Raises Unavailable if the broker does not answer."""
    until, pause = time.monotonic() + look_s, PAUSE_S
    mqtt = settings.mqtt.model_copy(update={"receive_maximum": 100, "held_bytes": 4_194_304})
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        connection = Connection(mqtt, ConnectionOptions(client_id))
        try:
            if connection.hear("#") and _one_connection(connection, topics, stop, until):
                return
        finally:
            connection.close()
        stop.wait(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _one_connection(connection: Connection, topics: UnreadTopics, stop: Event, until: float) -> bool:
    """True when the time is over; False after too many messages, or if the connection was lost."""
    begun, heard = time.monotonic(), 0
    while not stop.is_set() and (now := time.monotonic()) < until:
        if now - begun >= 1.0:
            begun, heard = now, 0
        connection.turn(min(0.5, until - now))
        while connection.inbox:
            message = connection.inbox.popleft()
            heard += 1
            if not message.retained and heard <= MAX_PER_S:
                topics.note(message.topic, message.payload)
        if connection.lost is not None or heard > MAX_PER_S:
            return False
    return True
