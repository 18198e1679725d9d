"""The inference worker's loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from threading import Event

import msgspec

from inference.answer import Answered, answer
from inference.swap import Live, Swap
from zelador.buffer import Delivered, Outcome, Reader, Refused, Stopping
from zelador.health import Heartbeat
from zelador.link import Link, Outgoing
from zelador.messages import Prediction, encode_json
from zelador.metrics import InferenceMetrics
from zelador.settings import Settings

log = logging.getLogger(__name__)

IDLE_S = 0.5  # how long a turn waits for a first reading
GRACE_S = 5.0  # after SIGTERM, how long the batch on its way may take


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
        self._link = link
        self._reader = reader
        self._swap = swap
        self._metrics = metrics
        self._heartbeat = heartbeat
        self._stop = stop

    def run(self) -> None:
        """Classify what waits in the buffer until told to stop.

        A reading is marked done only after the broker confirmed its prediction: a crash anywhere
        between repeats predictions, recognisable by their ids, and loses none.
        """
        try:
            while not self._stop.is_set():
                self.step()
        except Stopping as stopped:
            log.info("%s; what was not marked done is classified again", stopped)

    def step(self) -> int:
        """One batch; gives how many readings it settled. Raises Stopping."""
        live = self._swap.live
        self._heartbeat.beat(connected_at=self._link.connected_at, **self._swap.facts())
        if live is None:
            self._link.rest(IDLE_S / 5)  # readings wait in the buffer
            return 0
        batch = self._reader.read(self._settings.inference.batch, IDLE_S)
        if not batch:
            self._link.keep_alive()
            return 0
        return self._settle(live, batch)

    def _settle(self, live: Live, batch: Sequence[Delivered]) -> int:
        """The one place where a reading is finished: publish, wait for the broker, then mark done."""
        started = time.perf_counter()
        answered = answer(batch, live.model, live.sequence)
        model_seconds = time.perf_counter() - started
        messages: list[Outgoing] = []
        owner: list[int] = []  # whose message each is
        for index, item in enumerate(answered):
            for message in self._messages(item):
                messages.append(message)
                owner.append(index)
        publication = self._link.publish(messages)
        since = None
        while not self._link.confirmed(publication, 1.0):
            if self._stop.is_set():
                since = since or time.monotonic()
                if not self._link.connected or time.monotonic() - since > GRACE_S:
                    self._link.forget(publication)
                    raise Stopping("told to stop while waiting for the broker")
            self._heartbeat.beat(connected_at=self._link.connected_at, **self._swap.facts())
        refusals = {owner[index]: why for index, why in publication.refused.items()}
        outcomes, predictions = self._outcomes(answered, refusals)
        classified, aside = self._reader.settle(outcomes, predictions)
        newest = max((item.delivered.entry.received_at for item in answered if item.delivered.entry), default=0)
        self._metrics.settled(classified, aside, time.time() - newest / 1000, model_seconds)
        return classified + aside

    def _messages(self, item: Answered) -> list[Outgoing]:
        """One reading, one prediction; a gateway's array is answered by one array."""
        entry = item.delivered.entry
        if entry is None or not item.predictions:
            return []
        payload = encode_json(item.predictions) if entry.array else encode_json(item.predictions[0])
        topic = self._settings.topics.prediction.format(device_id=entry.device_id)
        messages = [Outgoing(topic, payload)]
        if entry.response_topic:
            correlation = bytes.fromhex(entry.correlation) if entry.correlation else None
            messages.append(Outgoing(entry.response_topic, payload, False, "application/json", correlation))
        return messages

    def _outcomes(
        self, answered: Sequence[Answered], refusals: dict[int, str]
    ) -> tuple[list[Outcome], list[Prediction]]:
        outcomes: list[Outcome] = []
        predictions: list[Prediction] = []
        for index, item in enumerate(answered):
            failures, good = list(item.failures), item.predictions
            if index in refusals and item.delivered.entry is not None:
                done = {prediction.reading_id for prediction in good}
                reason = f"the broker refused the prediction: {refusals[index]}"
                failures += [(r, reason) for r in item.delivered.entry.readings if r.id in done]
                good = []
            if failures and failures[0][0] is None:  # an entry that nobody can decode: all its readings
                failures = failures * item.delivered.count
            aside = tuple(self._set_aside(item.delivered, reading, why) for reading, why in failures)
            outcomes.append(Outcome(item.delivered.stream_id, len(good), aside))
            predictions += good
            if aside:
                log.error("%d readings set aside: %s", len(aside), failures[0][1])
        return outcomes, predictions

    def _set_aside(self, delivered: Delivered, reading: object, reason: str) -> Refused:
        entry = delivered.entry
        payload = delivered.raw if reading is None else msgspec.json.encode(reading)
        topic = self._settings.topics.reading.format(device_id=entry.device_id) if entry else ""
        return Refused.of(topic, reason, payload, entry.received_at if entry else 0)
