"""The worker's side of the buffer: read what is new or left behind, settle what is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import msgspec
import redis

from zelador.buffer.client import Patient, script
from zelador.buffer.keys import GROUP, Keys
from zelador.buffer.writer import Refused
from zelador.messages import Entry, Prediction, encode_json
from zelador.settings import Settings

log = logging.getLogger(__name__)

SHOWN = 100  # of one batch, how many predictions go to the console's stream at most


@dataclass(frozen=True, slots=True)
class Delivered:
    """An entry given to this worker. `features` names the readings' values; None where the entry cannot be decoded."""

    stream_id: str
    features: tuple[str, ...]
    entry: Entry | None
    raw: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an entry: readings classified, and those set aside with their reasons."""

    stream_id: str
    classified: int
    set_aside: tuple[Refused, ...] = ()


class Reader:
    """First what an earlier life of this worker left pending, then what is new, and in between what a dead one left."""

    def __init__(self, settings: Settings, stop: Event, consumer: str) -> None:
        self._patient = Patient(settings.redis, stop)
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._consumer = consumer
        self._settle = self._patient.client.register_script(script("settle.lua"))
        self._own: str | None = "0-0"  # where we are in our own pending list; None: through with it
        self._claim_from = "0-0"
        self._next_claim = 0.0

    @property
    def patient(self) -> Patient:
        return self._patient

    def read(self, limit: int, wait: float) -> list[Delivered]:
        """Up to `limit` entries, waiting at most `wait` seconds (below Redis's own time limit) for the first."""

        def attempt() -> list[Delivered]:
            try:
                return self._read(limit, wait)
            except Exception:
                self.give_back()  # an answer that was lost may have given us entries
                raise

        return self._patient.call("read readings", attempt)

    def settle(self, outcomes: Sequence[Outcome], predictions: Sequence[Prediction]) -> tuple[int, int]:
        """Marks entries done, after the broker confirmed their predictions. Gives readings classified and set aside.

        An entry that another worker settled meanwhile is not counted twice.
        """
        keys, arguments = self._arguments(outcomes, predictions)
        classified, aside = self._patient.call("mark readings done", lambda: self._settle(keys, arguments))
        return int(classified), int(aside)

    def give_back(self) -> None:
        """What was read and not settled is read again."""
        self._own = "0-0"

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _read(self, limit: int, wait: float) -> list[Delivered]:
        try:
            if self._own is not None:
                entries = self._group_read(self._own, limit, None)
                if entries:
                    self._own = _text(entries[-1][0])
                    return _delivered(entries)
                self._own = None
            if time.monotonic() >= self._next_claim and (taken := self._take_over(limit)):
                return taken
            return _delivered(self._group_read(">", limit, wait))
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._make_group()
            return []

    def _group_read(self, start: str, limit: int, wait: float | None) -> list[tuple[bytes, dict[bytes, bytes]]]:
        block = None if wait is None else max(1, int(min(wait, self._settings.redis.timeout_s / 2) * 1000))
        answer: Any = self._patient.client.xreadgroup(
            GROUP, self._consumer, {self._keys.readings: start}, count=limit, block=block
        )
        return list(answer[0][1]) if answer else []

    def _take_over(self, limit: int) -> list[Delivered]:
        """Entries that another worker has held for longer than `takeover_after_s`: it is dead, or as good as."""
        after = self._settings.inference.takeover_after_s
        answer: Any = self._patient.client.xautoclaim(
            self._keys.readings,
            GROUP,
            self._consumer,
            min_idle_time=int(after * 1000),
            start_id=self._claim_from,
            count=limit,
        )
        self._claim_from = _text(answer[0])
        if self._claim_from == "0-0":  # once round: nothing more to look at for a while
            self._next_claim = time.monotonic() + after / 3
        if answer[1]:
            log.info("took over %d entries of a worker that does not answer", len(answer[1]))
        return _delivered(answer[1])

    def _make_group(self) -> None:
        """The group begins at 0, so that readings that came before any worker are classified too."""
        try:
            self._patient.client.xgroup_create(self._keys.readings, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    # ── settling ─────────────────────────────────────────────────────────────────────────────

    def _arguments(self, outcomes: Sequence[Outcome], predictions: Sequence[Prediction]) -> tuple[list[str], list[Any]]:
        settings, keys = self._settings.redis, self._keys
        arguments: list[Any] = [GROUP, settings.keep_predictions, settings.keep_devices_s, len(outcomes)]
        for outcome in outcomes:
            arguments += (outcome.stream_id, outcome.classified, len(outcome.set_aside))
            for item in outcome.set_aside:
                arguments += (item.topic, item.reason, item.payload, item.length, item.digest, item.received_at)
        shown = predictions[-SHOWN:]
        arguments.append(len(shown))
        arguments += [encode_json(prediction) for prediction in shown]
        newest = {prediction.device_id: prediction for prediction in predictions}
        arguments.append(len(newest))
        for prediction in newest.values():
            confidence = "" if prediction.confidence is None else prediction.confidence
            arguments += (prediction.label, confidence, prediction.predicted_at, prediction.model)
        names = [keys.readings, keys.quarantine, keys.ledger, keys.predictions]
        return names + [keys.device(device) for device in newest], arguments


_decode = msgspec.json.Decoder(Entry).decode


def _delivered(entries: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> list[Delivered]:
    result = []
    for stream_id, fields in entries:
        if not fields:  # deleted behind our back: the ledger shows it as unaccounted
            continue
        raw = fields.get(b"d", b"")
        try:
            entry = _decode(raw)
        except (msgspec.DecodeError, RecursionError):
            entry = None
        features = tuple(fields.get(b"f", b"").decode(errors="replace").split(","))
        count = int(fields.get(b"n", b"1"))
        result.append(Delivered(_text(stream_id), features, entry, raw, count))
    return result


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
