"""The ingester's loop: receive a batch, store it lot by lot, acknowledge, and hold while too many readings wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from threading import Event

import msgspec

from ingest.broker_stats import BrokerStats
from ingest.lots import Lot, lots, refused_label
from ingest.pressure import Pressure
from ingest.sessions import SessionRecord
from ingest.warnings import Warnings, log_pressure
from zelador.buffer import Refused, Stopping, Writer
from zelador.decode import Decoder, Part
from zelador.heartbeat import Heartbeat
from zelador.labels import Label
from zelador.labels.message import NOT_STORED, LabelMessages
from zelador.labels.sent import SentLabels
from zelador.link import Link, Message
from zelador.metrics import IngestMetrics
from zelador.pace import Pace
from zelador.settings import Settings
from zelador.watchdog import Facts

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a step waits for a first message
HOLD_S = 0.25  # between checks of the backlog while nothing is taken from the broker
TIDY_S = 60.0  # between checks of the age of messages in quarantine
WINDOWS_S = 0.5  # between checks for windows that are due
NO_WINDOW = "too many devices with one topic a value are heard at once; replay it when there are fewer"
MEASURE_S = 60.0  # between two measurements of what waits


class Ingester:
    def __init__(
        self,
        settings: Settings,
        link: Link,
        writer: Writer,
        metrics: IngestMetrics,
        heartbeat: Heartbeat,
        sessions: SessionRecord | None = None,
    ) -> None:
        self._sessions = sessions
        self._link = link
        self._writer = writer
        self._decoder = Decoder(settings)
        self._label_messages = LabelMessages(settings)
        self._labels = SentLabels(writer.connection.client, settings.redis.prefix, writer.confirmer)
        self._limit = settings.ingest.batch
        self._max_payload_bytes = settings.ingest.max_payload_bytes
        self._drain_s = settings.ingest.drain_s
        self._pressure = Pressure(settings.ingest.high_water, high_bytes=settings.ingest.high_water_bytes)
        self._pace = Pace(time.monotonic())
        self._metrics = metrics
        self._warnings = Warnings(metrics, settings.ingest.client_id)
        self._heartbeat = heartbeat
        self._broker = BrokerStats()
        self._left: list[Message] = []  # the rest of the last batch, received but not stored, while the loop holds
        self._next_measure = self._next_windows = 0.0
        self._next_tidy = time.monotonic() + TIDY_S
        self._turned_at = time.monotonic()

    def run(self, stop: Event) -> None:
        """Moves readings from the broker to the buffer until `stop` is set.

        A message is acknowledged only after Redis has stored it: a crash at any point repeats a batch and loses none.
        """
        try:
            self._writer.measure()
            while not stop.is_set():
                self.step()
            self._drain()
        except Stopping as stopped:
            log.info("%s; what was not stored stays with the broker", stopped)

    def step(self) -> int:
        """Receives and stores one batch. Returns the number of messages moved. Raises Stopping."""
        self._turned_at = time.monotonic()
        self._beat()
        self._tidy()
        if self._holds():
            self._link.rest(HOLD_S)
            self._weigh(*self._writer.backlog())
            return 0
        self._close_windows()
        batch = self._link.current(self._left) or self._link.receive(self._limit, IDLE_S)
        self._left = []
        if not batch:
            return 0
        moved = done = 0
        for lot in lots(batch, self._decoder, self._max_payload_bytes, self._label_messages):
            moved, done = moved + self._store(lot), done + len(lot.messages)
            if self._holds():
                self._left = batch[done:]
                break
        self._warnings.unanswered(self._decoder)
        self._warnings.passed_over(self._decoder)
        time.sleep(self._pace.after(moved, time.monotonic()))
        return moved

    def _store(self, lot: Lot) -> int:
        """The one place where messages are acknowledged: Redis has them. Returns how many."""
        for message in lot.statistics:
            before, self._broker = self._broker, self._broker.after(message.topic, message.payload)
            self._warnings.broker(before, self._broker)
        if lot.parts:
            self._assemble(lot.parts)
        if lot.labels and (not_stored := self._label(lot.labels)):
            lot = msgspec.structs.replace(lot, refused=[*lot.refused, *not_stored])
        if not lot.arrivals and not lot.refused:  # skipped messages; QoS 0 needs no acknowledgement
            self._link.ack(lot.messages)
            return len(lot.messages) - len(lot.statistics)
        stored = self._writer.append(lot.arrivals, lot.refused)
        self._link.ack(lot.messages)
        self._metrics.stored(stored, lot.refused_readings, self._link)
        if lot.refused or stored.not_unique:
            self._warnings.quarantine(stored.discarded, stored.quarantine_full)
        if stored.repeating:
            self._warnings.repeating(stored.repeating)
        self._warnings.forgotten(stored.forgotten)
        self._weigh(stored.backlog, stored.waiting_bytes)
        return len(lot.messages)

    def _label(self, labels: Sequence[tuple[Message, Label]]) -> list[Refused]:
        """Stores labels that devices sent; returns those that the list refused. A repeated one is not added twice."""
        added = [label for _, label in labels]
        outcomes = self._writer.connection.call("store labels", lambda: self._labels.add(added))
        return [
            refused_label(message, NOT_STORED[outcome], self._label_messages, self._max_payload_bytes)
            for (message, _), outcome in zip(labels, outcomes, strict=True)
            if outcome in NOT_STORED
        ]

    def _assemble(self, parts: Sequence[Part]) -> None:
        """Stores values that came on topics of their own, and closes the windows that are due."""
        self._next_windows = time.monotonic() + WINDOWS_S
        stored, without_window = self._writer.assemble(parts)
        self._metrics.stored(stored, 0, self._link)
        self._weigh(stored.backlog, stored.waiting_bytes)
        if without_window:
            most = self._max_payload_bytes
            refused = [
                Refused.of(
                    part.topic, NO_WINDOW, part.payload, part.received_at, most=most, profile=part.profile,
                    device=part.device,
                )
                for part in without_window
            ]  # fmt: skip
            full = self._writer.append([], refused)
            self._metrics.stored(full, len(refused), self._link)
            self._warnings.quarantine(full.discarded, full.quarantine_full)

    def _close_windows(self) -> None:
        if self._decoder.has_parts and time.monotonic() >= self._next_windows:
            self._assemble([])

    def _weigh(self, backlog: int, waiting_bytes: int) -> None:
        """Decides whether to hold, by the number and size of waiting readings."""
        before, self._pressure = self._pressure, self._pressure.after(backlog, waiting_bytes)
        if self._pressure.holding and waiting_bytes > before.high_bytes and time.monotonic() >= self._next_measure:
            # A worker of an earlier version counts no bytes when it settles; a sum that is too high would hold forever.
            self._next_measure = time.monotonic() + MEASURE_S
            self._writer.measure(again=True)
            backlog, waiting_bytes = self._writer.backlog()
            self._pressure = before.after(backlog, waiting_bytes)
        log_pressure(before, self._pressure, backlog, waiting_bytes)

    def _holds(self) -> bool:
        return self._pressure.holding

    def _beat(self) -> None:
        if self._sessions is not None:
            self._sessions.note(self._link.sessions_lost, self._link.session_present)
        self._heartbeat.beat(
            connected_at=self._link.connected_at,
            holding=self._pressure.holding,
            broker_dropped=self._broker.dropped,
            broker_version=self._broker.version,
            sessions_lost=self._link.sessions_lost,
            brief=self._link.brief,
        )
        self._warnings.rival(self._heartbeat, self._link.brief)

    def _tidy(self) -> None:
        """Discards messages that have been in quarantine for too long."""
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + TIDY_S
            self._warnings.quarantine(*self._writer.tidy())

    def _drain(self) -> None:
        """Takes what the broker still has, until a step moves nothing: for a broker that forgets when it stops."""
        deadline = time.monotonic() + self._drain_s
        while time.monotonic() < deadline and self.step():
            pass

    def facts(self) -> Facts:
        """The state that the watchdog checks, on its own thread."""
        connection, link = self._writer.connection, self._link
        return Facts(
            turned_at=self._turned_at if connection.error is None else time.monotonic(),
            held=link.held,
            progressed_at=link.progressed_at,
            redis_error=connection.error,
            redis_away_since=connection.away_since,
            disconnected_since=link.disconnected_since,
            why=self._pressure.why if self._pressure.holding else None,
            refusal=connection.refusal or self._heartbeat.refusal,
        )
