"""The inference worker's loop: read entries, classify, publish, and mark them done once the broker confirmed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Event

import msgspec

from inference.answer import Answered, answer
from inference.compose import Composer
from inference.device_state import sightings
from inference.lineup import Live
from inference.observers import Observers, SettledBatch
from inference.outcomes import for_archive, outcomes
from inference.speed import Speed
from inference.swap import Swap
from zelador.alarms.policy import Policy, policy
from zelador.buffer import Delivered, Outcome, Reader, Sightings, Stopping
from zelador.clock import now_ms
from zelador.heartbeat import Heartbeat
from zelador.link import Link, Publication
from zelador.log_limit import LogLimit
from zelador.metrics import InferenceMetrics
from zelador.pace import Pace
from zelador.settings import Settings
from zelador.watchdog import Facts

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a step waits for a first reading
HOLD_S = 0.1  # between checks while no model is selected
CONFIRM_S = 0.005  # how long a step waits for confirmations before it reads again
GRACE_S = 5.0  # after SIGTERM, how long the batches in flight may take
REPEAT_S = 60.0
ASIDE_LINES = 60  # log lines within REPEAT_S on readings that were set aside
MAX_IN_FLIGHT = 3  # batches published and not confirmed yet, so that the loop does not wait for the broker's round trip


class _Batch(msgspec.Struct):
    """Entries whose predictions are published and not confirmed yet."""

    entries: list[Delivered]
    live: Live  # the model that classified them
    answered: list[Answered]
    owner: list[int]  # for each published message, its index in `answered`
    publication: Publication
    model_seconds: float


class Worker:
    def __init__(
        self,
        settings: Settings,
        link: Link,
        reader: Reader,
        swap: Swap,
        metrics: InferenceMetrics,
        heartbeat: Heartbeat,
        stop: Event,
        observers: Observers | None = None,
    ) -> None:
        self._settings = settings
        self._topics = settings.reading_topics
        self._limit = settings.inference.batch
        self._composer = Composer(settings, metrics.unanswered)
        self._aside_log = LogLimit(REPEAT_S, ASIDE_LINES)
        self._link = link
        self._reader = reader
        self._swap = swap
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._stop = stop
        self._observers = observers
        self._policy: tuple[Live, Policy] | None = None  # of the live model
        self._pace = Pace(time.monotonic())
        self._speed = Speed(time.monotonic())
        self._in_flight: deque[_Batch] = deque()
        self._turned_at = self._progressed_at = time.monotonic()

    def run(self) -> None:
        """Classifies what waits in the buffer until asked to stop.

        A reading is marked done only after the broker confirmed its prediction: a crash at any point
        repeats predictions, which can be recognized by their ids, and loses none.
        """
        try:
            while not self._stop.is_set():
                self.step()
            self._finish()
        except Stopping as stopped:
            log.info("%s; what was not marked done is classified again", stopped)

    def step(self) -> int:
        """Reads and publishes one batch, and settles what the broker has confirmed.

        Returns the number of readings settled. Raises Stopping.
        """
        live = self._swap.lineup.live
        self._turned_at = time.monotonic()
        self._heartbeat.beat(self._figures, connected_at=self._link.connected_at, **self._swap.facts())
        full = len(self._in_flight) >= MAX_IN_FLIGHT
        begun = 0 if full or live is None else self._begin(live, 0.0 if self._in_flight else IDLE_S)
        if not self._in_flight:
            self._progressed_at = time.monotonic()
            if live is None:
                self._link.rest(HOLD_S)  # readings wait in the buffer
            else:
                self._link.keep_alive()
            return 0
        settled = self._settle(0.0 if begun else CONFIRM_S if self._link.connected and not full else IDLE_S)
        time.sleep(self._pace.after(begun, time.monotonic()))
        return settled

    def _begin(self, live: Live, wait: float) -> int:
        """Reads, classifies and publishes a batch. Returns the number of readings."""
        entries = self._reader.read(self._limit, wait)
        if not entries:
            return 0
        started = time.perf_counter()
        limits = self._settings.inference
        answered = answer(entries, live.model, live.sequence, limits.deliveries, limits.late_after_s)
        model_seconds = time.perf_counter() - started
        messages, owner = self._composer.compose(answered, self._link.packet_bytes)
        publication = self._link.publish(messages)
        self._in_flight.append(_Batch(entries, live, answered, owner, publication, model_seconds))
        return sum([delivered.count for delivered in entries])

    def _settle(self, wait: float) -> int:
        """The one place where readings are marked done: the broker confirmed their predictions."""
        settled = 0
        while self._in_flight and self._link.confirmed(self._in_flight[0].publication, wait):
            batch = self._in_flight[0]
            refusals = {batch.owner[index]: why for index, why in batch.publication.refused.items()}
            found, predictions = outcomes(batch.answered, refusals, self._topics)
            self._log_aside(found)
            archived = for_archive(batch.entries, batch.answered, refusals) if self._reader.archived else None
            classified, aside = self._reader.settle(found, predictions, self._sightings(batch), archived)
            self._in_flight.popleft()
            self._progressed_at = time.monotonic()
            oldest, newest, now = batch.answered[0].arrival, batch.answered[-1].arrival, now_ms()
            seconds = (now - newest.received_at) / 1000 if newest else None
            self._metrics.settled(classified, aside, seconds, batch.model_seconds)
            if oldest:
                self._speed.settled(classified, (now - oldest.received_at) / 1000, self._progressed_at)
            self._metrics.predicted(predictions)
            if self._observers:
                self._observers.offer(SettledBatch.of(batch.entries, predictions, batch.live))
            settled += classified + aside
            wait = 0.0
        return settled

    def _sightings(self, batch: _Batch) -> Sightings:
        """What the batch says about the state of its devices."""
        settings, live = self._settings.alarm, batch.live
        if not settings.enabled:
            return Sightings()
        if self._policy is None or self._policy[0] is not live:
            self._policy = live, policy(settings, live.model.classes, live.training)
            log.info("alarms of %s: %s", live.model.name, self._policy[1].described)
        received_after = now_ms() - round(self._settings.inference.late_after_s * 1000)
        return sightings(
            batch.answered, {batch.owner[index] for index in batch.publication.refused}, self._policy[1], received_after
        )

    def _figures(self) -> Mapping[str, object]:
        return self._speed.facts(time.monotonic())

    def _finish(self) -> None:
        """Waits for the batches in flight. What the broker does not confirm in time is classified again later."""
        deadline = time.monotonic() + GRACE_S
        while self._in_flight and self._link.connected and time.monotonic() < deadline:
            self._settle(HOLD_S)
        if self._in_flight:
            raise Stopping("asked to stop while waiting for the broker")

    def _log_aside(self, found: Sequence[Outcome]) -> None:
        for outcome in found:
            if (aside := outcome.set_aside) and self._aside_log.due():
                log.error("%d readings set aside: %s%s", len(aside), aside[0].reason, self._aside_log.take_skipped())

    def facts(self) -> Facts:
        """The state that the watchdog checks, on its own thread."""
        connection = self._reader.connection
        return Facts(
            turned_at=self._turned_at if connection.error is None else time.monotonic(),
            held=len(self._in_flight),
            progressed_at=self._progressed_at,
            redis_error=connection.error,
            redis_away_since=connection.away_since,
            disconnected_since=self._link.disconnected_since,
            why="their predictions are not confirmed by the broker",
            refusal=connection.refusal or self._heartbeat.refusal,
        )
