"""The ingester's loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from threading import Event

from ingest.broker_stats import BrokerSays, is_system
from ingest.pressure import Pressure
from ingest.sessions import SessionRecord
from zelador.buffer import Refused, Stopping, Writer
from zelador.buffer.batch import refusals
from zelador.decode import Decoder
from zelador.heartbeat import Heartbeat
from zelador.link import Link, Message
from zelador.log_limit import LogLimit
from zelador.messages import Arrival
from zelador.metrics import IngestMetrics
from zelador.pace import Pace
from zelador.settings import Settings
from zelador.watchdog import Facts

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a turn waits for a first message
HOLD_S = 0.25  # between looks at the backlog while nothing is taken
LOT_READINGS, LOT_BYTES = 5_000, 8_388_608  # from here on what is stored at once is cut
TIDY_S = 60.0  # between looks at the age of what is in quarantine
COMPLAIN_S = 60.0  # between two lines on what the quarantine lost
NEARLY_FULL = 80  # percent: the quarantine will soon discard


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
        self._limit = settings.ingest.batch
        self._largest = settings.ingest.max_payload_bytes
        self._drain_s = settings.ingest.drain_s
        self._pressure = Pressure(settings.ingest.high_water, high_bytes=settings.ingest.high_water_bytes)
        self._pace = Pace(time.monotonic())
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._broker = BrokerSays()
        self._quarantine_full = 0  # percent
        self._discarded = 0  # by the quarantine, not yet said
        self._unanswered = 0  # requests without an answer, as far as they are counted
        self._unanswered_log = LogLimit(COMPLAIN_S)
        self._next_complaint = 0.0
        self._left: list[Message] = []  # of the last batch, received and not yet stored while we hold
        self._forgotten = 0  # devices, not yet logged
        self._next_forgotten = 0.0
        self._next_measure = 0.0
        self._next_tidy = time.monotonic() + TIDY_S
        self._turned_at = time.monotonic()

    def run(self, stop: Event) -> None:
        """Move readings from the broker into the buffer until told to stop.

        The broker is told "received" only after Redis said "stored": a crash anywhere between
        repeats a batch and loses none.
        """
        try:
            self._writer.measure()
            while not stop.is_set():
                self.step()
            self._drain()
        except Stopping as stopped:
            log.info("%s; what was not stored stays with the broker", stopped)

    def step(self) -> int:
        """One batch; gives how many messages it moved. Raises Stopping."""
        self._turned_at = time.monotonic()
        self._beat()
        self._tidy()
        if self._holds():
            self._link.rest(HOLD_S)
            self._weigh(*self._writer.backlog())
            return 0
        batch = self._link.current(self._left) or self._link.receive(self._limit, IDLE_S)
        self._left = []
        if not batch:
            return 0
        moved = done = 0
        for lot in self._lots(batch):
            moved, done = moved + self._store(*lot), done + len(lot[0])
            if self._holds():
                self._left = batch[done:]
                break
        if self._decoder.unanswered != self._unanswered:
            self._count_unanswered()
        time.sleep(self._pace.after(moved, time.monotonic()))
        return moved

    def _store(self, lot: Sequence[Message], arrivals: list[Arrival], refused: list[Refused]) -> int:
        """The one place where messages are acknowledged: Redis has them. Gives how many."""
        if not arrivals and not refused:  # the broker spoke of itself
            return 0
        stored = self._writer.append(arrivals, refused)
        self._link.ack(lot)
        self._metrics.stored(stored, sum([item.count for item in refused]), self._link)
        if refused:
            self._quarantined(stored.discarded, stored.quarantine_full)
        self._forget(stored.forgotten)
        self._weigh(stored.backlog, stored.waiting_bytes)
        return len(lot)

    def _holds(self) -> bool:
        return self._pressure.holding

    def facts(self) -> Facts:
        """For the watchdog, on its thread: a look at a few numbers."""
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

    def _beat(self) -> None:
        if self._sessions is not None:
            self._sessions.note(self._link.sessions_lost, self._link.session_present)
        self._heartbeat.beat(
            connected_at=self._link.connected_at,
            holding=self._pressure.holding,
            broker_dropped=self._broker.dropped,
            broker_version=self._broker.version,
            sessions_lost=self._link.sessions_lost,
        )

    def _drain(self) -> None:
        """Takes what the broker still has, until it is silent for a turn: for a broker that forgets at its own end."""
        deadline = time.monotonic() + self._drain_s
        while time.monotonic() < deadline and self.step():
            pass

    def _lots(self, batch: Sequence[Message]) -> Iterator[tuple[Sequence[Message], list[Arrival], list[Refused]]]:
        """The batch decoded, in lots that Redis takes in well under a second: a message may hold many readings."""
        begun, readings, size = 0, 0, 0
        arrivals: list[Arrival] = []
        refused: list[Refused] = []
        for index, message in enumerate(batch):
            topic = message.topic
            if is_system(topic):
                self._hear(message)
                continue
            arrival, bad = self._decoder.decode(
                topic, message.payload, message.received_at, message.response_topic, message.correlation
            )
            if arrival is not None:
                arrivals.append(arrival)
                readings += len(arrival.readings)
            if bad:
                refused += refusals(topic, bad, message.received_at, self._largest, self._decoder.heard)
                readings += len(bad)
            size += len(message.payload) + len(topic) + len(message.correlation or b"")
            if readings >= LOT_READINGS or size >= LOT_BYTES:
                yield batch[begun : index + 1], arrivals, refused
                begun, readings, size, arrivals, refused = index + 1, 0, 0, [], []
        yield batch[begun:], arrivals, refused

    def _hear(self, message: Message) -> None:
        before, self._broker = self._broker, self._broker.after(message.topic, message.payload)
        dropped = self._broker.dropped
        self._metrics.broker_dropped(dropped)
        if dropped is not None and dropped > (before.dropped if before.dropped is not None else 0):
            log.error(
                "the broker has dropped %d messages since its start, for this or another client of its: "
                "its queues are too short (zelador doctor says how to mend it)", dropped
            )  # fmt: skip

    def _count_unanswered(self) -> None:
        self._metrics.unanswered(self._decoder.unanswered - self._unanswered)
        self._unanswered = self._decoder.unanswered
        if self._unanswered_log.due():
            log.warning(
                "%d requests so far get no answer; the last: %s", self._unanswered, self._decoder.last_unanswered
            )

    def _tidy(self) -> None:
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + TIDY_S
            self._quarantined(*self._writer.tidy())

    def _quarantined(self, discarded: int, full: int) -> None:
        """Says loudly what the quarantine lost, and before that, that it soon will."""
        before, self._quarantine_full = self._quarantine_full, full
        self._metrics.quarantine(discarded, full)
        self._discarded += discarded
        if self._discarded and time.monotonic() >= self._next_complaint:
            log.error(
                "the quarantine is full: %d messages were discarded, the oldest of the devices with the most",
                self._discarded,
            )
            self._discarded, self._next_complaint = 0, time.monotonic() + COMPLAIN_S
        elif full >= NEARLY_FULL > before:
            log.warning(
                "the quarantine is at %d %% of its bounds: replay or discard, or messages go by themselves", full
            )

    def _forget(self, devices: int) -> None:
        """Logs at a bounded rate that devices were forgotten: ids without end, or a bound that is too low."""
        self._forgotten += devices
        if self._forgotten and time.monotonic() >= self._next_forgotten:
            log.warning(
                "%d devices were forgotten, those silent for the longest: there are more than "
                "ZELADOR_REDIS__KEEP_DEVICES", self._forgotten
            )  # fmt: skip
            self._forgotten, self._next_forgotten = 0, time.monotonic() + COMPLAIN_S

    def _weigh(self, backlog: int, waiting_bytes: int) -> None:
        before, self._pressure = self._pressure, self._pressure.after(backlog, waiting_bytes)
        if self._pressure.holding and waiting_bytes > before.high_bytes and time.monotonic() >= self._next_measure:
            # Sums that are too high, after a worker of the previous version settled, would hold everything for ever.
            self._next_measure = time.monotonic() + COMPLAIN_S
            self._writer.measure(again=True)
            backlog, waiting_bytes = self._writer.backlog()
            self._pressure = before.after(backlog, waiting_bytes)
        if self._pressure.holding and not before.holding:
            log.warning(
                "%d readings of %d bytes wait: taking no more from the broker (%s)",
                backlog, waiting_bytes, self._pressure.why,
            )  # fmt: skip
        elif before.holding and not self._pressure.holding:
            log.info("%d readings of %d bytes wait: taking from the broker again", backlog, waiting_bytes)
