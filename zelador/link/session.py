"""The link: one MQTT session across many connections.

The link keeps unconfirmed messages and publishes them again on the next connection, unless a message is what ends
connections. The broker keeps messages that were not acknowledged and sends them again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

from zelador.errors import Unavailable
from zelador.link.connection import LARGEST_PACKET, Connection, ConnectionOptions
from zelador.link.message import Message, Outgoing
from zelador.link.packets import publish_bytes
from zelador.link.waiting import PROMPT_S, STEADY_S, Publication, Waiting
from zelador.log_limit import LogLimit
from zelador.retry import backoff
from zelador.settings import MqttSettings

log = logging.getLogger(__name__)

WINDOW = 32_000  # unconfirmed messages at most, even if the broker accepts more: half of the packet ids
PROVEN_S = 5.0  # a connection that lasted this long, or confirmed a message, resets the back-off
BRIEF_S, BRIEF = 10.0, 3  # connections that end so soon, and how many of them mean that another client takes them
BRIEF_CAP_S = 60.0  # longest pause between two such connections
SILENT_S = 30.0  # the connection is closed if the broker confirms nothing for this time: it may have lost a message
LOG_S, LOG_LINES = 60.0, 20  # log limit for each kind of line: the broker may disconnect repeatedly
ROOM = 4_096  # a payload this much below the limit fits with topic and properties, and is not measured


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """The client's identity and options. `birth` is published on each connection, `will` by the broker at its loss."""

    client_id: str
    filters: tuple[str, ...] = ()
    persistent: bool = False
    birth: Outgoing | None = None
    will: Outgoing | None = None
    quiet_s: float = 0.0  # after each connection, nothing is published for this time
    optional: tuple[str, ...] = ()  # topic filters that the broker may refuse; $SYS at QoS 0


class Link:
    """An MQTT session. Single-threaded: every operation drives the socket on the caller's thread, and reconnects."""

    def __init__(self, settings: MqttSettings, options: LinkOptions, stop: Event) -> None:
        self._settings = settings
        self._options = options
        self._stop = stop
        self._connection: Connection | None = None
        self._optional = options.optional
        self._queued: deque[Waiting] = deque()  # not yet sent on this connection
        self._sent: dict[int, Waiting] = {}  # packet id → sent, not yet confirmed
        self._group = 0  # number of suspects in flight; 0 if there are none
        self._group_at = 0.0  # when they were sent
        self._group_evident = False  # True if that connection worked by then
        self._next_group = 1
        self._sent_at = self._confirmed_at = 0.0  # when a message was last sent or confirmed
        self._epoch = 0
        self._attempt = 0
        self._proven = False  # True if the current connection has confirmed a message
        self._established_at = 0.0
        self._birth_id: int | None = None  # until it is confirmed
        self._packet_bytes = LARGEST_PACKET
        self._connected_log = LogLimit(LOG_S, LOG_LINES)
        self._lost_log = LogLimit(LOG_S, LOG_LINES)
        self._refused_log = LogLimit(LOG_S, LOG_LINES)
        self._next_try = 0.0
        self._quiet_until = 0.0
        self._free_at = time.monotonic()  # when no message was held
        self._last_ack = time.monotonic()
        self.disconnected_since: float | None = time.monotonic()  # None if connected
        self.reconnects = 0
        self.stale_acks = 0
        self.brief = 0  # connections in a row that ended soon, with nothing in flight that could be the cause
        self.session_present = False  # True if the broker still had the session at the last connection
        self.sessions_lost = 0  # connections at which the broker no longer had the session

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def held(self) -> int:
        """The number of messages received and not acknowledged."""
        return 0 if self._connection is None else self._connection.held

    @property
    def progressed_at(self) -> float:
        """When a message was last acknowledged, or none was held (monotonic clock, seconds)."""
        return max(self._last_ack, self._free_at)

    @property
    def connected_at(self) -> int | None:
        """When the current connection and its subscriptions were made (ms since 1970 UTC); None if not connected."""
        return None if self._connection is None else self._connection.made_at

    @property
    def packet_bytes(self) -> int:
        """The largest packet that the broker accepts, as it last announced; else the limit of MQTT."""
        return self._packet_bytes

    def open(self, patience: float) -> None:
        """Connects, trying for `patience` seconds. Raises Unavailable, so that startup reports a wrong address."""
        deadline = time.monotonic() + patience
        while not self._stop.is_set():
            try:
                self._establish()
            except Unavailable:
                self._attempt += 1
                if time.monotonic() >= deadline:
                    raise
                self._stop.wait(backoff(self._attempt))
            else:
                return

    def receive(self, limit: int, wait: float) -> list[Message]:
        """Up to `limit` messages, waiting at most `wait` seconds for the first."""
        if connection := self._ready(wait):
            connection.turn(0.0 if connection.inbox else wait)
            self._settle(connection)
            if self._connection is connection:  # otherwise the broker sends them again
                return [connection.inbox.popleft() for _ in range(min(limit, len(connection.inbox)))]
        return []

    def current(self, messages: Sequence[Message]) -> list[Message]:
        """The messages of the current connection; the broker sends the others again."""
        connection = self._connection
        return [] if connection is None else [each for each in messages if each.epoch == connection.epoch]

    def ack(self, messages: Sequence[Message]) -> None:
        """Acknowledges messages, in the order of receipt; ignores those of an earlier connection."""
        connection = self._connection
        if connection is None:
            self.stale_acks += len(messages)
            return
        ours = [message for message in messages if message.epoch == connection.epoch]
        self.stale_acks += len(messages) - len(ours)
        connection.ack(ours)
        self._last_ack = time.monotonic()
        self._proven = True
        connection.turn(0.0)
        self._settle(connection)

    def publish(self, messages: Sequence[Outgoing]) -> Publication:
        """Queues messages and sends as many as the broker's window allows; `confirmed` tells when all have arrived."""
        publication = Publication(len(messages))
        self._queued.extend(Waiting(message, publication, index) for index, message in enumerate(messages))
        if self._connection is not None:
            self._send(self._connection)
            self._connection.turn(0.0)
            self._settle(self._connection)
        return publication

    def confirmed(self, publication: Publication, wait: float) -> bool:
        """True once the broker has answered for every message of `publication`; waits at most `wait` seconds."""
        deadline = time.monotonic() + wait
        while publication.left:
            left = deadline - time.monotonic()
            self._turn(max(0.0, left))
            if left <= 0 or (self._connection is None and self._stop.is_set()):
                break
        return publication.left == 0

    def rest(self, wait: float) -> None:
        """Waits while keeping the session alive, for a caller that cannot continue yet."""
        deadline = time.monotonic() + wait
        while (left := deadline - time.monotonic()) > 0 and not self._stop.is_set():
            self._turn(left)

    def keep_alive(self) -> None:
        """One turn without waiting, for a caller that waits elsewhere."""
        self._turn(0.0)

    def close(self, goodbye: Outgoing | None = None) -> None:
        """Disconnects; the broker keeps unacknowledged messages."""
        if self._connection is not None:
            if goodbye is not None:
                self._connection.publish([goodbye])
                self._connection.turn(0.0)
            self._connection.close()
            self._connection = None

    # ── connection ───────────────────────────────────────────────────────────────────────────

    def _turn(self, wait: float) -> None:
        if self._queued:
            wait = min(wait, max(0.0, self._quiet_until - time.monotonic()) or wait)
        if self._sent:
            wait = min(wait, SILENT_S)
        if connection := self._ready(wait):
            connection.turn(wait)
            if self._sent and time.monotonic() - max(self._confirmed_at, self._sent_at) > SILENT_S:
                connection.give_up(f"it confirmed none of {len(self._sent)} messages for {SILENT_S:g} s")
            self._settle(connection)

    def _ready(self, wait: float) -> Connection | None:
        """The connection; reconnects if it was lost. None (after at most `wait` seconds) while there is none."""
        if self._connection is not None:
            return self._connection
        left = self._next_try - time.monotonic()
        if left > 0:
            self._stop.wait(min(left, wait))
            if left > wait or self._stop.is_set():
                return None
        try:
            return self._establish()
        except Unavailable as error:
            self._attempt += 1
            delay = backoff(self._attempt)
            self._next_try = time.monotonic() + delay
            log.warning("%s; next try in %.1f s", error, delay)
            return None

    def _establish(self) -> Connection:
        options = self._options
        self._epoch += 1
        connection = Connection(
            self._settings,
            ConnectionOptions(options.client_id, options.filters, options.persistent, options.will, self._optional),
            self._epoch,
        )
        self.session_present = connection.session_present
        if options.persistent and self.reconnects and not connection.session_present:
            self.sessions_lost += 1
            log.error(
                "the broker no longer has the session of %s: the messages that it held are lost", options.client_id
            )
        self._connection = connection
        self.disconnected_since = None
        now = time.monotonic()
        self._established_at = self._free_at = now
        self._proven = False
        self._next_try = 0.0
        self._packet_bytes = connection.packet_bytes
        self._birth_id = None
        if options.birth is not None:
            (self._birth_id,) = connection.publish([options.birth])
        self._quiet_until = now + options.quiet_s
        if self._queued and self._queued[0].alone:  # the connection must first prove that it works without it
            self._quiet_until = max(self._quiet_until, now + STEADY_S)
        self._send(connection)
        if self._connected_log.due():
            log.info("connected to the broker as %s%s", options.client_id, self._connected_log.take_skipped())
        return connection

    def _send(self, connection: Connection) -> None:
        """Sends as much of the queue as the broker's Receive Maximum allows (paho ignores it)."""
        if not self._queued or time.monotonic() < self._quiet_until:
            return
        room = min(connection.receive_maximum, WINDOW) - len(self._sent) - (self._birth_id is not None)
        if self._group or self._queued[0].suspect:
            room = self._group_room(room)
        if room > 0:
            self._publish(connection, [self._queued.popleft() for _ in range(min(room, len(self._queued)))])

    def _group_room(self, room: int) -> int:
        """How many messages may be sent while there are suspects: none until the previous group is confirmed."""
        if self._sent:
            return 0
        if self._group:
            self._next_group, self._group = self._next_group * 2, 0
        suspects = 0
        for waiting in self._queued:
            if not waiting.suspect or suspects >= self._next_group:
                break
            suspects += 1
        if not suspects:
            self._next_group = 1
            return room
        now = time.monotonic()
        steady = self._birth_id is None and now - self._established_at >= STEADY_S
        if self._queued[0].alone and not steady:
            return 0  # called again when the birth message is confirmed
        self._group, self._group_at, self._group_evident = min(suspects, max(1, room)), now, steady
        return self._group

    def _publish(self, connection: Connection, batch: list[Waiting]) -> None:
        limit, self._sent_at = self._packet_bytes, time.monotonic()
        if max([len(waiting.outgoing.payload) for waiting in batch]) > limit - ROOM:
            batch = [waiting for waiting in batch if self._fits(waiting, limit)]
        try:
            packet_ids = connection.publish([waiting.outgoing for waiting in batch])
        except ValueError:  # one of them does not fit into an MQTT packet: send the others one by one
            for waiting in batch:
                try:
                    (packet_id,) = connection.publish([waiting.outgoing])
                    self._sent[packet_id] = waiting
                except ValueError as error:
                    self._refuse(waiting, str(error))
        else:
            self._sent.update(zip(packet_ids, batch, strict=True))

    def _fits(self, waiting: Waiting, limit: int) -> bool:
        size = publish_bytes(waiting.outgoing)
        if size > limit:
            self._refuse(waiting, f"the message has {size} bytes, and the broker accepts at most {limit}")
        return size <= limit

    def _refuse(self, waiting: Waiting, reason: str) -> None:
        waiting.publication.refuse(waiting.index, reason)
        if self._refused_log.due():
            topic, skipped = waiting.outgoing.topic[:200], self._refused_log.take_skipped()
            log.error("gave up publishing to %r: %s%s", topic, reason, skipped)

    def _settle(self, connection: Connection) -> None:
        if not connection.held:
            self._free_at = time.monotonic()
        for packet_id in connection.confirmed:
            waiting = self._sent.pop(packet_id, None)
            if waiting is not None:
                self._proven = True
                if connection.refused and packet_id in connection.refused:
                    waiting.publication.refuse(waiting.index, connection.refused[packet_id])
                else:
                    waiting.publication.left -= 1
            elif packet_id == self._birth_id:
                self._birth_id = None
        if connection.confirmed:
            self._confirmed_at = time.monotonic()
            connection.confirmed.clear()
            connection.refused.clear()
        if connection.lost is not None:
            self._lose(connection, connection.lost)
        elif self._queued:
            self._send(connection)

    def _lose(self, connection: Connection, why: str) -> None:
        now = time.monotonic()
        if self._lost_log.due():
            log.warning("lost the broker: %s%s", why, self._lost_log.take_skipped())
        if connection.optional_open is not None and self._optional:
            log.info(
                "the broker disconnected before it answered the subscription to %s: continuing without it",
                ", ".join(self._optional),
            )
            self._optional = ()
        if self._proven or now - self._established_at >= PROVEN_S:
            self._attempt = 0
        soon = now - self._established_at < BRIEF_S
        self.brief = self.brief + 1 if soon and (not self._sent or connection.taken_over) else 0
        self._suspect(connection, why, now)
        self._connection = None
        self.disconnected_since = now
        self._attempt += 1
        delay = backoff(self._attempt)
        if self.brief > BRIEF:  # two clients with one id would take each other's connection many times a second
            delay = max(delay, backoff(self.brief - BRIEF, first=1.0, cap=BRIEF_CAP_S))
        self._next_try = now + delay
        self.reconnects += 1

    def _suspect(self, connection: Connection, why: str, now: float) -> None:
        """Puts messages in flight back at the front of the queue, in order, except those found to end connections."""
        again = list(self._sent.values())
        if connection.lost_by_message:
            alone = self._group == 1
            evident = self._group_evident and now - self._group_at <= PROMPT_S
            counted = [waiting.after_loss(alone, evident) for waiting in again]
            again = []
            for waiting in counted:
                if (verdict := waiting.verdict(why)) is None:
                    again.append(waiting)
                else:
                    self._refuse(waiting, verdict)
                    self._attempt = 0
        self._queued.extendleft(reversed(again))
        self._sent = {}
        self._group, self._next_group = 0, 1
