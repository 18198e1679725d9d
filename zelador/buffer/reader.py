"""The worker's side of the buffer: reads new and abandoned entries, and settles finished ones."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import redis

from zelador.buffer.batch import Refused, around_device, quarantine_bounds
from zelador.buffer.connection import RedisConnection
from zelador.buffer.entry import decode_entry, with_requests
from zelador.buffer.keys import GROUP, Keys
from zelador.buffer.library import Library
from zelador.buffer.outcome_batch import MAX_OUTCOMES_BYTES, OutcomeBatch, encode_outcomes
from zelador.buffer.read_size import ReadSize
from zelador.buffer.sightings import NOTHING, Sightings
from zelador.buffer.written import Confirmer
from zelador.messages import Arrival, Prediction, encode_json
from zelador.settings import Settings

log = logging.getLogger(__name__)

_Raw = tuple[bytes, list[bytes]]  # an entry as returned by Redis: its id, and field, value, field, value …
PREDICTIONS_SHOWN = 20  # predictions of one batch that are shown at most
MAX_SHOWN_BYTES = 4_096  # bytes of a shown prediction; a longer one has only the probability of its label
SUSPECT_DELIVERIES = (
    2  # after so many deliveries without completion, an entry is delivered alone: it may end its worker
)
UNKNOWN_SIZE = (-1, 0)  # the size of an entry that this process did not read
PENDING_CHUNK = 100  # pending entries examined in one call


_packed = msgspec.msgpack.Encoder().encode


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """An entry of the stream given to this worker: messages that arrived together; None if they cannot be decoded.

    `features` names the readings' values, `count` is the number of readings, `deliveries` how often the entry was
    given to a worker, including this time.
    """

    stream_id: str
    features: tuple[str, ...]
    arrivals: tuple[Arrival, ...] | None
    raw: bytes
    count: int
    deliveries: int = 1
    asked: bool = False  # contains requests
    replayed: str | None = None  # where the reading was, if it was set aside before (entry.py)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The outcome of an entry: the number of classified readings, and those set aside with their reasons."""

    stream_id: str
    classified: int
    set_aside: tuple[Refused, ...] = ()


class Reader:
    """Reads entries: first those pending since an earlier run of this worker, then new ones and those of dead workers.

    Several batches may be read before the first is settled; an entry that is held is never returned twice. Deliveries
    are counted: an entry that seems to end its workers is given alone, so that it does not affect others.
    """

    def __init__(self, connection: RedisConnection, settings: Settings, consumer: str) -> None:
        """`consumer` is this worker's name in the group. The client of `connection` returns XREADGROUP and XAUTOCLAIM
        in Redis's own form from now on.
        """
        self._connection = connection
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._consumer = consumer
        self._library = Library(connection.client)
        self._confirmer = Confirmer(connection.client, lambda seconds: connection.wait(seconds))
        # The raw reply for a stream, [[name, [[id, [field, value, …]], …]]], at half the cost of redis-py's form.
        connection.client.set_response_callback("XREADGROUP", lambda response, **_: response)
        # redis-py omits the next position from a reply with JUSTID.
        connection.client.set_response_callback("XAUTOCLAIM", lambda response, **_: response)
        self._read_size = ReadSize(settings.redis.pack)
        self._held: set[str] = set()  # read and not settled
        self._sizes: dict[str, tuple[int, int]] = {}  # of these: bytes, and 1 if they carry requests
        self._mine_from: str | None = "-"  # position in this worker's pending list; None at its end
        self._claim_from = "0-0"
        self._next_claim = 0.0
        self._archived = True

    @property
    def connection(self) -> RedisConnection:
        return self._connection

    def read(self, limit: int, wait: float) -> list[Delivered]:
        """Entries of about `limit` readings, waiting at most `wait` seconds (below Redis's limit) for the first."""

        def attempt() -> list[Delivered]:
            try:
                return self._read(limit, wait)
            except Exception:
                self._mine_from = "-"  # a lost reply may have delivered entries: read the pending list again
                raise

        return self._connection.call("read readings", attempt)

    @property
    def archived(self) -> bool:
        """True if an archive is registered, or if that is not known yet."""
        return self._archived

    def settle(
        self,
        outcomes: Sequence[Outcome],
        predictions: Sequence[Prediction],
        sightings: Sightings = NOTHING,
        for_archive: OutcomeBatch | None = None,
    ) -> tuple[int, int]:
        """Settles entries, after the broker confirmed their predictions. Returns the readings classified and set aside.

        The states of the devices follow `sightings` in the same step, and an archive gets `for_archive`.

        Readings set aside are written when it returns. An entry that another worker settled is not counted again.
        """
        keys, arguments = self._arguments(outcomes, predictions)
        arguments += sightings.arguments()
        arguments += ("", 0) if for_archive is None else (encode_outcomes(for_archive), len(predictions))
        arguments.append(MAX_OUTCOMES_BYTES)

        def attempt() -> list[Any]:
            counted: list[Any]
            *counted, written = self._library.call("settle", keys, arguments)
            self._confirmer.confirm(written)
            return counted

        classified, aside, discarded, archived = self._connection.call("mark readings done", attempt)
        if discarded:
            log.error("the quarantine is full: %d messages of the devices with the most were discarded", discarded)
        self._archived = bool(archived)
        self._held.difference_update([outcome.stream_id for outcome in outcomes])
        for outcome in outcomes:
            self._sizes.pop(outcome.stream_id, None)
        return int(classified), int(aside)

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def _read(self, limit: int, wait: float) -> list[Delivered]:
        count = self._read_size.entries(limit)
        try:
            if time.monotonic() >= self._next_claim:
                self._take_over(count)
            if self._mine_from is not None:
                mine, more = self._mine(count)
                if mine or more:
                    return mine
            return self._hold(self._group_read(count, wait))
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._make_group()
            return []

    def _group_read(self, count: int, wait: float) -> Sequence[_Raw]:
        block = max(1, int(min(wait, self._settings.redis.timeout_s / 2) * 1000)) if wait > 0 else None
        answer: Any = self._connection.client.xreadgroup(
            GROUP, self._consumer, {self._keys.readings: ">"}, count=count, block=block
        )
        return answer[0][1] if answer else ()

    def _hold(self, entries: Sequence[_Raw], deliveries: dict[str, int] | None = None) -> list[Delivered]:
        """The entries that are not held yet, decoded; `deliveries` are of those that were given before."""
        held = self._held
        delivered = [item for item in map(_delivered, entries) if item is not None and item.stream_id not in held]
        if deliveries:
            delivered = [
                msgspec.structs.replace(item, deliveries=deliveries.get(item.stream_id, 1)) for item in delivered
            ]
        if any(item.asked for item in delivered):
            delivered = self._with_requests(delivered)
        held.update([item.stream_id for item in delivered])
        self._sizes.update({item.stream_id: (len(item.raw), int(item.asked)) for item in delivered})
        self._read_size = self._read_size.after(len(delivered), sum([item.count for item in delivered]))
        return delivered

    def _with_requests(self, delivered: list[Delivered]) -> list[Delivered]:
        """Reads the requests of entries, in another round trip."""
        asked = [item.stream_id for item in delivered if item.asked]
        answer: Any = self._connection.client.hmget(self._keys.requests, asked)
        found = dict(zip(asked, answer, strict=True))
        return [
            msgspec.structs.replace(item, arrivals=with_requests(item.arrivals, requests))
            if item.arrivals is not None and (requests := found.get(item.stream_id)) is not None
            else item
            for item in delivered
        ]

    def _mine(self, count: int) -> tuple[list[Delivered], bool]:
        """This worker's entries that are not held (of an earlier run or a dead worker), and whether there are more."""
        while self._mine_from is not None:
            pending: list[Any] = self._connection.client.xpending_range(
                self._keys.readings,
                GROUP,
                min=self._mine_from,
                max="+",
                count=PENDING_CHUNK,
                consumername=self._consumer,
            )
            ids = [(_text(item["message_id"]), int(item["times_delivered"])) for item in pending]
            new = [(stream_id, times) for stream_id, times in ids if stream_id not in self._held]
            if not new:
                self._mine_from = f"({ids[-1][0]}" if len(ids) == PENDING_CHUNK else None
                continue
            chosen = next_given(new, count, bool(self._held))
            if not chosen:
                return [], True
            self._mine_from = f"({chosen[-1][0]}"
            claimed: Any = self._connection.client.xclaim(
                self._keys.readings, GROUP, self._consumer, min_idle_time=0, message_ids=[each for each, _ in chosen]
            )
            entries = [(stream_id, _flat(fields)) for stream_id, fields in claimed if stream_id is not None]
            return self._hold(entries, {stream_id: times + 1 for stream_id, times in chosen}), True
        return [], False

    def _take_over(self, count: int) -> None:
        """Claims entries that another worker has held for longer than `takeover_after_s`: it is dead or hung.

        JUSTID does not count as a delivery: deliveries are counted when entries are given.
        """
        after = self._settings.inference.takeover_after_s
        answer: Any = self._connection.client.xautoclaim(
            self._keys.readings,
            GROUP,
            self._consumer,
            min_idle_time=int(after * 1000),
            start_id=self._claim_from,
            count=count,
            justid=True,
        )
        self._claim_from = _text(answer[0])
        if self._claim_from == "0-0":  # the end: no more entries to examine for a while
            self._next_claim = time.monotonic() + after / 3
        taken = [stream_id for stream_id in map(_text, answer[1]) if stream_id not in self._held]
        if taken:  # the claim also renews this worker's own entries, which are held already
            self._mine_from = "-"
            log.info("took over %d entries of a worker that is dead or hung", len(taken))

    def _make_group(self) -> None:
        """Creates the group at 0, so that readings that arrived before the first worker are classified too."""
        try:
            self._connection.client.xgroup_create(self._keys.readings, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    # ── settling ─────────────────────────────────────────────────────────────────────────────

    def _arguments(self, outcomes: Sequence[Outcome], predictions: Sequence[Prediction]) -> tuple[list[str], list[Any]]:
        settings, keys = self._settings.redis, self._keys
        arguments: list[Any] = [GROUP, settings.keep_predictions, settings.keep_readings]
        arguments += quarantine_bounds(self._settings)
        arguments += (settings.keep_bytes, *around_device(self._settings))
        whole = [outcome for outcome in outcomes if not outcome.set_aside]
        arguments.append(len(whole))
        for outcome in whole:
            arguments += (outcome.stream_id, outcome.classified, *self._sizes.get(outcome.stream_id, UNKNOWN_SIZE))
        others = [outcome for outcome in outcomes if outcome.set_aside]
        arguments.append(len(others))
        for outcome in others:
            arguments += (outcome.stream_id, outcome.classified, *self._sizes.get(outcome.stream_id, UNKNOWN_SIZE))
            arguments.append(len(outcome.set_aside))
            for item in outcome.set_aside:
                arguments += (item.topic, item.reason, item.payload, item.length, item.digest, item.received_at)
                arguments += (item.features, item.profile, item.device, item.entry)
        shown = predictions[-PREDICTIONS_SHOWN:]
        arguments.append(len(shown))
        arguments += [_shown(prediction) for prediction in shown]
        newest = {prediction.device_id: prediction for prediction in predictions}
        flat: list[str] = []
        for device, each in newest.items():
            flat += (device, encode_json((each.label, each.confidence, each.predicted_at, each.model)).decode())
        arguments.append(_packed(flat))
        names = [keys.readings, keys.quarantine, keys.ledger, keys.predictions, keys.marks, keys.requests]
        names += [keys.states, keys.announce, keys.device_events, keys.due, keys.outcomes]
        return [*names, keys.last_predictions, keys.devices], arguments


def next_given(pending: Sequence[tuple[str, int]], count: int, busy: bool) -> list[tuple[str, int]]:
    """The entries to deliver next, of those delivered before (id, times), in order: up to `count`, or a single suspect.

    Empty while the worker is busy and a suspect is next: if it ended the worker, the others would be given again.
    """
    calm = list(itertools.takewhile(lambda item: item[1] < SUSPECT_DELIVERIES, pending))
    if calm:
        return calm[:count]
    return [] if busy else list(pending[:1])


def _shown(prediction: Prediction) -> bytes:
    """A prediction for the stream of recent predictions; limited, so that many long labels do not fill Redis."""
    encoded = encode_json(prediction)
    if len(encoded) <= MAX_SHOWN_BYTES or prediction.probabilities is None:
        return encoded
    likeliest = {prediction.label: prediction.probabilities.get(prediction.label, 0.0)}
    return encode_json(msgspec.structs.replace(prediction, probabilities=likeliest))


def _delivered(raw: _Raw) -> Delivered | None:
    """Decodes an entry. None if it was deleted by someone else: the ledger shows it as unaccounted."""
    stream_id, flat = raw
    if not flat:
        return None
    found = decode_entry(flat)
    return Delivered(
        stream_id.decode(), found.features, found.arrivals, found.raw, found.count, 1, found.asked, found.replayed
    )


def _flat(fields: dict[bytes, bytes]) -> list[bytes]:
    return [part for pair in fields.items() for part in pair]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
