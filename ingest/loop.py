"""The ingester's loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from threading import Event

from ingest.decode import Decoder
from ingest.pressure import Pressure
from zelador.buffer import Refused, Stopping, Writer
from zelador.health import Heartbeat
from zelador.link import Link, Message
from zelador.messages import Arrival
from zelador.metrics import IngestMetrics
from zelador.pace import Pace
from zelador.settings import Settings

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a turn waits for a first message
HOLD_S = 0.25  # between looks at the backlog while nothing is taken


class Ingester:
    def __init__(
        self, settings: Settings, link: Link, writer: Writer, metrics: IngestMetrics, heartbeat: Heartbeat
    ) -> None:
        self._link = link
        self._writer = writer
        self._decoder = Decoder(settings)
        self._limit = settings.ingest.batch
        self._drain_s = settings.ingest.drain_s
        self._pressure = Pressure(settings.ingest.high_water)
        self._pace = Pace(time.monotonic())
        self._metrics = metrics
        self._heartbeat = heartbeat

    def run(self, stop: Event) -> None:
        """Move readings from the broker into the buffer until told to stop.

        The broker is told "received" only after Redis said "stored": a crash anywhere between
        repeats a batch and loses none.
        """
        try:
            while not stop.is_set():
                self.step()
            self._drain()
        except Stopping as stopped:
            log.info("%s; what was not stored stays with the broker", stopped)

    def step(self) -> int:
        """One batch; gives how many messages it moved. Raises Stopping."""
        self._heartbeat.beat(connected_at=self._link.connected_at, holding=self._pressure.holding)
        if self._pressure.holding:
            self._link.rest(HOLD_S)
            self._weigh(self._writer.backlog())
            return 0
        batch = self._link.receive(self._limit, IDLE_S)
        if not batch:
            return 0
        arrivals, refused = self._decode(batch)
        stored = self._writer.append(arrivals, refused)
        self._link.ack(batch)
        self._metrics.stored(stored, len(refused), self._link.reconnects, self._link.stale_acks)
        if stored.discarded:
            log.error("the quarantine is full: %d of its oldest messages were discarded", stored.discarded)
        self._weigh(stored.backlog)
        time.sleep(self._pace.after(len(batch), time.monotonic()))
        return len(batch)

    def _drain(self) -> None:
        """Takes what the broker still has, until it is silent for a turn: for a broker that forgets at its own end."""
        deadline = time.monotonic() + self._drain_s
        while time.monotonic() < deadline and self.step():
            pass

    def _decode(self, batch: Sequence[Message]) -> tuple[list[Arrival], list[Refused]]:
        arrivals: list[Arrival] = []
        refused: list[Refused] = []
        for message in batch:
            arrival, bad = self._decoder.decode(
                message.topic, message.payload, message.received_at, message.response_topic, message.correlation
            )
            if arrival is not None:
                arrivals.append(arrival)
            if bad:
                refused += [Refused.of(message.topic, reason, payload, message.received_at) for reason, payload in bad]
        return arrivals, refused

    def _weigh(self, backlog: int) -> None:
        before, self._pressure = self._pressure, self._pressure.after(backlog)
        if self._pressure.holding and not before.holding:
            log.warning("%d readings wait, more than %d: taking no more from the broker", backlog, before.high)
        elif before.holding and not self._pressure.holding:
            log.info("%d readings wait: taking from the broker again", backlog)
