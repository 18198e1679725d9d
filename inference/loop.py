"""The inference worker's loop."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from threading import Event

import msgspec

from inference.answer import Answered, answer
from inference.parts import HEAD_BYTES, in_parts
from inference.swap import Live, Swap
from zelador.buffer import Outcome, Reader, Refused, Stopping
from zelador.heartbeat import Heartbeat
from zelador.link import Link, Outgoing, Publication, publish_bytes
from zelador.log_limit import LogLimit
from zelador.messages import Arrival, Prediction, encode_json
from zelador.metrics import InferenceMetrics
from zelador.pace import Pace
from zelador.response_topic import ResponseRule
from zelador.settings import Settings
from zelador.watchdog import Facts

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a turn waits for a first reading
HOLD_S = 0.1  # between looks while no model is selected
LOOK_S = 0.005  # how long a turn waits for confirmations before it looks for new readings
GRACE_S = 5.0  # after SIGTERM, how long the batches on their way may take
DEVICES = 16_384  # topics that are remembered
KEPT = 1_048_576  # bytes of one reading, whole
COMPLAIN_S = 60.0  # between two lines on requests without an answer
ASIDE_LINES = 60  # in that time, on what was set aside
ON_THE_WAY = 3  # batches published and not yet confirmed: the broker's round trip costs no time of ours


class _Batch(msgspec.Struct):
    """Readings whose predictions are on their way to the broker."""

    answered: list[Answered]
    owner: list[int]  # whose each message is, an index into `answered`
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
    ) -> None:
        self._settings = settings
        self._limit = settings.inference.batch
        self._topic = lru_cache(maxsize=DEVICES)(lambda device: settings.topics.prediction.format(device_id=device))
        self._objection = ResponseRule(settings.topics).objection  # of readings that an earlier version stored, too
        self._unanswered_log = LogLimit(COMPLAIN_S)
        self._aside_log = LogLimit(COMPLAIN_S, ASIDE_LINES)
        self._link = link
        self._reader = reader
        self._swap = swap
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._stop = stop
        self._pace = Pace(time.monotonic())
        self._on_the_way: deque[_Batch] = deque()
        self._turned_at = self._progressed_at = time.monotonic()

    def run(self) -> None:
        """Classify what waits in the buffer until told to stop.

        A reading is marked done only after the broker confirmed its prediction: a crash anywhere
        between repeats predictions, recognisable by their ids, and loses none.
        """
        try:
            while not self._stop.is_set():
                self.step()
            self._finish()
        except Stopping as stopped:
            log.info("%s; what was not marked done is classified again", stopped)

    def step(self) -> int:
        """Reads and publishes one batch, settles what the broker has confirmed; gives how many readings that were.

        Raises Stopping.
        """
        live = self._swap.live
        self._turned_at = time.monotonic()
        self._heartbeat.beat(connected_at=self._link.connected_at, **self._swap.facts())
        full = len(self._on_the_way) >= ON_THE_WAY
        begun = 0 if full or live is None else self._begin(live, 0.0 if self._on_the_way else IDLE_S)
        if not self._on_the_way:
            self._progressed_at = time.monotonic()
            if live is None:
                self._link.rest(HOLD_S)  # readings wait in the buffer
            else:
                self._link.keep_alive()
            return 0
        settled = self._settle(0.0 if begun else LOOK_S if self._link.connected and not full else IDLE_S)
        time.sleep(self._pace.after(begun, time.monotonic()))
        return settled

    def facts(self) -> Facts:
        """For the watchdog, on its thread: a look at a few numbers."""
        connection = self._reader.connection
        return Facts(
            turned_at=self._turned_at if connection.error is None else time.monotonic(),
            held=len(self._on_the_way),
            progressed_at=self._progressed_at,
            redis_error=connection.error,
            redis_away_since=connection.away_since,
            disconnected_since=self._link.disconnected_since,
            why="their predictions are not confirmed by the broker",
            refusal=connection.refusal or self._heartbeat.refusal,
        )

    def _begin(self, live: Live, wait: float) -> int:
        """Classifies what there is to read and puts it on its way; gives how many readings that were."""
        batch = self._reader.read(self._limit, wait)
        if not batch:
            return 0
        started = time.perf_counter()
        answered = answer(batch, live.model, live.sequence, self._settings.inference.deliveries)
        model_seconds = time.perf_counter() - started
        messages, owner = self._messages(answered)
        publication = self._link.publish(messages)
        self._on_the_way.append(_Batch(answered, owner, publication, model_seconds))
        return sum([delivered.count for delivered in batch])

    def _settle(self, wait: float) -> int:
        """The one place where readings are finished: the broker has confirmed them, so they are marked done."""
        settled = 0
        while self._on_the_way and self._link.confirmed(self._on_the_way[0].publication, wait):
            batch = self._on_the_way[0]
            refusals = {batch.owner[index]: why for index, why in batch.publication.refused.items()}
            outcomes, predictions = self._outcomes(batch.answered, refusals)
            classified, aside = self._reader.settle(outcomes, predictions)
            self._on_the_way.popleft()
            self._progressed_at = time.monotonic()
            newest = batch.answered[-1].arrival
            seconds = time.time() - newest.received_at / 1000 if newest else None
            self._metrics.settled(classified, aside, seconds, batch.model_seconds)
            settled += classified + aside
            wait = 0.0
        return settled

    def _finish(self) -> None:
        """Waits for what is on its way; what the broker does not confirm in time is classified again."""
        deadline = time.monotonic() + GRACE_S
        while self._on_the_way and self._link.connected and time.monotonic() < deadline:
            self._settle(HOLD_S)
        if self._on_the_way:
            raise Stopping("told to stop while waiting for the broker")

    def _messages(self, answered: Sequence[Answered]) -> tuple[list[Outgoing], list[int]]:
        """One reading, one prediction; an array is answered by an array, in parts where it is too large for the broker.

        And whose each message is, an index into `answered`.
        """
        messages: list[Outgoing] = []
        owner: list[int] = []
        limit = min(self._link.packet_bytes, self._settings.mqtt.packet_bytes)
        for index, item in enumerate(answered):
            arrival, predictions = item.arrival, item.predictions
            if arrival is None or not predictions:
                continue
            payload, topic = (
                encode_json(predictions if arrival.array else predictions[0]),
                self._topic(arrival.device_id),
            )
            if len(payload) <= limit - HEAD_BYTES and not arrival.response_topic:  # nearly all
                messages.append(Outgoing(topic, payload))
                owner.append(index)
                continue
            payloads = [payload] if len(payload) <= limit - HEAD_BYTES else in_parts(item, topic, limit)
            messages += [Outgoing(topic, payload) for payload in payloads]
            if arrival.response_topic:
                messages += self._responses(arrival, payloads, limit)
            owner += [index] * (len(messages) - len(owner))
        return messages, owner

    def _responses(self, arrival: Arrival, payloads: Sequence[bytes], limit: int) -> list[Outgoing]:
        """The answer to an MQTT 5 request; none where its response topic is not allowed, or leaves no room."""
        topic = arrival.response_topic or ""
        correlation = bytes.fromhex(arrival.correlation) if arrival.correlation else None
        why = self._objection(arrival.device_id, topic)
        found = [Outgoing(topic, payload, False, "application/json", correlation) for payload in payloads]
        if why is None and any(publish_bytes(outgoing) > limit for outgoing in found):
            why = f"the answer would have more than {limit} bytes"
        if why is None:
            return found
        self._metrics.unanswered()
        if self._unanswered_log.due():
            skipped = self._unanswered_log.take_skipped()
            log.warning("no answer for %s on %r: %s%s", arrival.device_id, topic[:200], why, skipped)
        return []

    def _outcomes(
        self, answered: Sequence[Answered], refusals: dict[int, str]
    ) -> tuple[list[Outcome], list[Prediction]]:
        """What became of each entry of the stream: its messages stand one after the other in `answered`."""
        outcomes: list[Outcome] = []
        predictions: list[Prediction] = []
        for stream_id, group in groupby(enumerate(answered), _stream_id):
            classified, aside = 0, list[Refused]()
            for index, item in group:
                if item.failures or index in refusals:
                    good, refused = self._parted(item, refusals.get(index))
                    aside += refused
                else:
                    good = item.predictions
                classified += len(good)
                predictions += good
            outcomes.append(Outcome(stream_id, classified, tuple(aside)))
            if aside and self._aside_log.due():
                log.error("%d readings set aside: %s%s", len(aside), aside[0].reason, self._aside_log.take_skipped())
        return outcomes, predictions

    def _parted(self, item: Answered, refusal: str | None) -> tuple[list[Prediction], list[Refused]]:
        """What of a message is classified, and what is set aside: what failed; or all, if the broker refused it."""
        if item.arrival is None:  # an entry that nobody can decode: all its readings
            entry = Refused.of("", item.failures[0][1], item.delivered.raw, 0, most=KEPT)
            return [], [entry] * item.delivered.count
        failures, good = list(item.failures), item.predictions
        if refusal is not None:
            done = {prediction.reading_id for prediction in good}
            reason = f"the broker refused the prediction: {refusal}"
            failures += [(reading, reason) for reading in item.arrival.readings if reading.id in done]
            good = []
        topic = self._settings.topics.reading.format(device_id=item.arrival.device_id)
        received_at = item.arrival.received_at
        features, kept = ",".join(item.delivered.features), list[Refused]()
        bare = msgspec.structs.replace(item.arrival, response_topic=None, correlation=None)  # who asked waits no longer
        for reading, why in failures:  # each as a message of its own, so that it can be put back among those that wait
            payload = encode_json(msgspec.structs.replace(bare, readings=(reading,)))
            kept.append(Refused.of(topic, why, payload, received_at, most=KEPT, features=features))
        return good, kept


def _stream_id(numbered: tuple[int, Answered]) -> str:
    return numbered[1].delivered.stream_id
