"""Publishes the states of devices, retained: one worker at a time, on a separate thread.

The states are an outbox in Redis (buffer/lua/alarms.lua): a device stays in it until the broker confirmed its newest
state, so that a crash publishes it again. After each connection to the broker, and after trouble with Redis, all states
are published: a broker may have forgotten them, and Redis its last second.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import Event

import msgspec
import redis

from inference.home_assistant import config_topic, discovery
from inference.sweep import Sweeper
from inference.webhook import Webhook
from zelador.alarms.state import Record, decode_record, published
from zelador.alarms.store import DeviceStates
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.errors import Unavailable
from zelador.lease import Lease
from zelador.link import Link, Outgoing
from zelador.retry import backoff
from zelador.settings import Settings
from zelador.side_thread import SideThread
from zelador.status import link_options, status_message

log = logging.getLogger(__name__)

SERVICE, INSTANCE = "states", "zelador-states"  # of the status message of the worker that publishes the states
RECEIVED = 100  # messages of Home Assistant in one step
LEASE_S = 5.0
PAGE = 1_000  # devices in one step of putting all into the outbox
PUBLISHED = 500  # states in one step
CONFIRM_S = 5.0  # the wait for the broker to confirm them
POLL_S = 0.2
RETRY_CAP_S = 10.0


class Keeper:
    """Publishes waiting states while it holds the lease. It also finds silent devices, with or without the lease."""

    def __init__(self, settings: Settings, stop: Event) -> None:
        self._settings = settings
        self._stop = stop
        self._is_leader = Event()
        self._webhook = Webhook(settings, stop, self._is_leader) if settings.alarm.webhook_url is not None else None
        self._discovers = settings.homeassistant.discovery
        self._discovered: set[bytes] = set()  # devices whose discovery message was published on this connection
        self._client = connect_redis(settings.redis)
        self._lease = Lease(self._client, Keys(settings.redis.prefix).alarm_keeper, LEASE_S)
        self._states = DeviceStates(self._client, settings.redis.prefix)
        self._me = settings.inference.instance
        self._link: Link | None = None
        self._connected_at: int | None = None
        self._redis_run: str | None = None  # changes when Redis starts again
        self._least_version = 0  # of the states to publish
        self._sweeper = Sweeper(settings, stop)
        self._thread = SideThread(
            "alarms",
            stop,
            self._turn,
            trouble="the states of devices cannot be published",
            retry_s=partial(backoff, first=POLL_S, cap=RETRY_CAP_S),
            on_error=self._publish_all_again,
            on_end=self._release,
            rest=self._rest,
        )

    def start(self) -> None:
        self._thread.start()
        self._sweeper.start()
        if self._webhook is not None:
            self._webhook.start()

    def join(self) -> None:
        self._thread.join(CONFIRM_S + 1.0)
        self._sweeper.join()
        if self._webhook is not None:
            self._webhook.join()
        self._client.close()

    def _turn(self) -> float:
        if self._lease.hold(self._me):
            self._is_leader.set()
            self._step()
        else:
            self._is_leader.clear()
            self._disconnect()  # without a goodbye: another worker has taken over
        return POLL_S

    def _publish_all_again(self) -> None:
        """After an error, because Redis may come back without its last second.

        On a new connection: the old one would still send states that were read before, maybe after another worker's.
        """
        self._disconnect()

    def _rest(self, seconds: float) -> None:
        if self._link is not None and self._link.connected:
            self._link.rest(min(seconds, POLL_S))
        else:
            self._stop.wait(seconds)

    def _release(self) -> None:
        self._disconnect(self._status(online=False))
        with contextlib.suppress(redis.RedisError, OSError):  # the lease expires by itself
            self._lease.release(self._me)

    def _step(self) -> None:
        link = self._connected()
        was, self._redis_run = self._redis_run, self._run_of_redis()
        forgotten = self._connected_at is None or link.connected_at != self._connected_at or was != self._redis_run
        if self._home_assistant_starts(link) or forgotten:
            self._discovered.clear()
            self._least_version = self._states.announce_all(PAGE, self._redis_run)  # the broker may have forgotten them
            self._connected_at = link.connected_at
        while not self._stop.is_set() and (waiting := self._states.waiting(PUBLISHED)):
            if self._run_of_redis() != self._redis_run:
                return  # it may have lost the published version: the next step finds a larger one
            self._publish(link, waiting)

    def _run_of_redis(self) -> str | None:
        """The run id of Redis, which changes when Redis restarts (perhaps without its last second); None if unknown."""
        try:
            return str(self._client.info("server")["run_id"])
        except redis.exceptions.NoPermissionError:
            return None

    def _connected(self) -> Link:
        if self._link is None:
            home_assistant = (f"{self._settings.homeassistant.prefix}/status",) if self._discovers else ()
            options = link_options(self._settings.topics, SERVICE, f"zelador-{self._me}-states", home_assistant)
            options = replace(options, birth=self._status(online=True), will=self._status(online=False))
            link = Link(self._settings.mqtt, options, self._stop)
            link.open(self._settings.mqtt.connect_timeout_s)
            self._link = link
        return self._link

    def _status(self, online: bool) -> Outgoing:
        return status_message(self._settings.topics, SERVICE, INSTANCE, online)

    def _home_assistant_starts(self, link: Link) -> bool:
        """True if Home Assistant has just started: everything must be published again."""
        if not self._discovers:
            return False
        heard = link.receive(RECEIVED, 0.0)
        link.ack(heard)
        return any(message.payload == b"online" for message in heard)

    def _disconnect(self, goodbye: Outgoing | None = None) -> None:
        self._connected_at = None
        if self._link is not None:
            self._link.close(goodbye)
            self._link = None

    def _discovery(self, device: str, known: bool) -> Outgoing:
        """The discovery message of a device for Home Assistant; an empty one removes it there."""
        service = self._status(online=True).topic
        payload = discovery(self._settings, device, service) if known else b""
        return Outgoing(config_topic(self._settings, device), payload, retain=True)

    def _publish(self, link: Link, waiting: Sequence[tuple[bytes, bytes, bytes | None]]) -> None:
        messages, found = [], set[bytes]()
        for device, _, text in waiting:
            name = device.decode("utf-8", "replace")
            record = None if text is None else _record(name, text)
            if self._discovers:
                # A name of which no reading was ever classified may not be a device at all.
                known = record is not None and record.state != "retired" and record.measured_at > 0
                if not known or device not in self._discovered:
                    messages.append(self._discovery(name, known))
                if known:
                    found.add(device)
            payload = b"" if record is None else published(name, record, self._least_version)
            messages.append(Outgoing(self._settings.topics.state.format(device_id=name), payload, retain=True))
        if found - self._discovered:  # Home Assistant forgets the availability that it heard before the discovery
            messages.append(self._status(online=True))
        publication = link.publish(messages)
        deadline = time.monotonic() + CONFIRM_S
        leads = True
        while leads and not link.confirmed(publication, POLL_S):
            leads = self._lease.hold(self._me)  # keep the lease while the broker is away
            if self._stop.is_set() or time.monotonic() > deadline:
                self._disconnect()  # unconfirmed states are published again
                raise Unavailable("the broker does not confirm the states of devices")
        if refused := publication.refused:
            why = next(iter(refused.values()))
            raise Unavailable(
                f"the broker refuses {messages[next(iter(refused))].topic}: {why}; allow workers to publish there"
            )
        self._discovered = self._discovered.difference([device for device, _, _ in waiting]) | found
        versions = [(device, version) for device, version, _ in waiting]
        self._states.announced(versions)
        if not leads or not self._lease.hold(self._me):  # another worker may have published newer states before these
            self._disconnect()
            self._states.announce(versions)


def _record(device: str, text: bytes) -> Record | None:
    try:
        return decode_record(text)
    except (msgspec.DecodeError, ValueError) as error:
        log.error("the state of %r in Redis cannot be read: %s", device[:200], error)
        return None
