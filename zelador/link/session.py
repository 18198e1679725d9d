"""The link: one MQTT session that outlives its connections.

What was published and not confirmed belongs to the link and goes out again on the next connection; what
was received and not acknowledged belongs to the broker, which sends it again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event

import msgspec

from zelador.errors import Unavailable
from zelador.link.connection import Connection, ConnectionOptions
from zelador.link.message import Message, Outgoing
from zelador.retry import backoff
from zelador.settings import MqttSettings

log = logging.getLogger(__name__)

WINDOW = 32_000  # messages published and not confirmed, whatever the broker would take: half of the packet ids


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """Who we are to the broker. `birth` is published on each connection, `will` by the broker when we die."""

    client_id: str
    filters: tuple[str, ...] = ()
    persistent: bool = False
    birth: Outgoing | None = None
    will: Outgoing | None = None
    quiet_s: float = 0.0  # after a connection nothing is published for so long
    optional: tuple[str, ...] = ()  # at QoS 0, and no harm done if the broker refuses them


@dataclass(slots=True, eq=False)
class Publication:
    """Messages published together. `refused` has the index of each that the broker said no to, and its reason."""

    left: int
    refused: dict[int, str] = field(default_factory=dict)


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    outgoing: Outgoing
    publication: Publication
    index: int


class Link:
    """Single-threaded: every verb drives the socket on the caller's thread, and reconnects by itself."""

    def __init__(self, settings: MqttSettings, options: LinkOptions, stop: Event) -> None:
        self._settings = settings
        self._options = options
        self._stop = stop
        self._connection: Connection | None = None
        self._optional = options.optional
        self._queued: deque[_Waiting] = deque()  # not yet sent on this connection
        self._sent: dict[int, _Waiting] = {}  # packet id → sent, not yet confirmed
        self._epoch = 0
        self._attempt = 0
        self._next_try = 0.0
        self._quiet_until = 0.0
        self._free_at = time.monotonic()  # when nothing was held
        self._last_ack = time.monotonic()
        self.disconnected_since: float | None = time.monotonic()  # None: connected
        self.reconnects = 0
        self.stale_acks = 0
        self.sessions_lost = 0  # connections at which the broker had forgotten what it held for us

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def held(self) -> int:
        """Messages received and not acknowledged."""
        return 0 if self._connection is None else self._connection.held

    @property
    def progressed_at(self) -> float:
        """When a message was last acknowledged, or nothing was held (monotonic clock, seconds)."""
        return max(self._last_ack, self._free_at)

    @property
    def connected_at(self) -> int | None:
        """When the present connection was made (ms since 1970 UTC), its subscriptions with it; None without one."""
        return None if self._connection is None else self._connection.made_at

    def open(self, patience: float) -> None:
        """Connects, trying for `patience` seconds. Raises Unavailable: at the start a wrong address must be said."""
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
            if self._connection is connection:  # else the broker sends them again
                return [connection.inbox.popleft() for _ in range(min(limit, len(connection.inbox)))]
        return []

    def current(self, messages: Sequence[Message]) -> list[Message]:
        """Those that came on the present connection; the broker sends the others again."""
        connection = self._connection
        return [] if connection is None else [each for each in messages if each.epoch == connection.epoch]

    def ack(self, messages: Sequence[Message]) -> None:
        """Tells the broker "stored", in the order of receipt; those of an earlier connection are dropped."""
        connection = self._connection
        if connection is None:
            self.stale_acks += len(messages)
            return
        ours = [message for message in messages if message.epoch == connection.epoch]
        self.stale_acks += len(messages) - len(ours)
        connection.ack(ours)
        self._last_ack = time.monotonic()
        connection.turn(0.0)
        self._settle(connection)

    def publish(self, messages: Sequence[Outgoing]) -> Publication:
        """Queues the messages and sends what the broker's window takes; `confirmed` tells when all arrived."""
        publication = Publication(len(messages))
        self._queued.extend(_Waiting(message, publication, index) for index, message in enumerate(messages))
        if self._connection is not None:
            self._send(self._connection)
            self._connection.turn(0.0)
            self._settle(self._connection)
        return publication

    def confirmed(self, publication: Publication, wait: float) -> bool:
        """Whether the broker has answered for every message of `publication`, waiting at most `wait` seconds."""
        deadline = time.monotonic() + wait
        while publication.left:
            left = deadline - time.monotonic()
            self._turn(max(0.0, left))
            if left <= 0 or (self._connection is None and self._stop.is_set()):
                break
        return publication.left == 0

    def rest(self, wait: float) -> None:
        """Waits while the session stays alive: for a caller that cannot go on yet."""
        deadline = time.monotonic() + wait
        while (left := deadline - time.monotonic()) > 0 and not self._stop.is_set():
            self._turn(left)

    def keep_alive(self) -> None:
        """One turn without waiting: for a caller whose waiting is done elsewhere."""
        self._turn(0.0)

    def close(self, goodbye: Outgoing | None = None) -> None:
        """Says goodbye; whatever is not acknowledged stays with the broker."""
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
        if connection := self._ready(wait):
            connection.turn(wait)
            self._settle(connection)

    def _ready(self, wait: float) -> Connection | None:
        """The connection, made anew if it was lost; None (after at most `wait` seconds) while there is none."""
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
        if options.persistent and self.reconnects and not connection.session_present:
            self.sessions_lost += 1
            log.error("the broker has forgotten our session: what it held for %s is lost", options.client_id)
        self._connection = connection
        self.disconnected_since = None
        self._free_at = time.monotonic()
        self._attempt = 0
        self._next_try = 0.0
        if options.birth is not None:
            connection.publish([options.birth])
        # What the last connection did not confirm goes first, in its old order.
        self._queued.extendleft(reversed(self._sent.values()))
        self._sent = {}
        self._quiet_until = time.monotonic() + options.quiet_s
        self._send(connection)
        log.info("connected to the broker as %s", options.client_id)
        return connection

    def _send(self, connection: Connection) -> None:
        """As much of the queue as the broker's Receive Maximum allows (paho does not honour it)."""
        if time.monotonic() < self._quiet_until:
            return
        room = min(connection.receive_maximum, WINDOW) - 1 - len(self._sent)
        if self._queued and room > 0:
            batch = [self._queued.popleft() for _ in range(min(room, len(self._queued)))]
            self._sent.update(zip(connection.publish([waiting.outgoing for waiting in batch]), batch, strict=True))

    def _settle(self, connection: Connection) -> None:
        if not connection.held:
            self._free_at = time.monotonic()
        for packet_id in connection.confirmed:
            waiting = self._sent.pop(packet_id, None)
            if waiting is not None:  # else our birth message
                waiting.publication.left -= 1
                if connection.refused and packet_id in connection.refused:
                    waiting.publication.refused[waiting.index] = connection.refused[packet_id]
        connection.confirmed.clear()
        connection.refused.clear()
        if connection.lost is not None:
            log.warning("lost the broker: %s", connection.lost)
            if connection.optional_open is not None and self._optional:
                log.info("it hung up before it answered for %s: going on without", ", ".join(self._optional))
                self._optional = ()
            self._connection = None
            self.disconnected_since = time.monotonic()
            self._attempt = 1
            self._next_try = time.monotonic() + backoff(1)
            self.reconnects += 1
        elif self._queued:
            self._send(connection)
