"""Each message frees its slot in the window exactly once: in order, after Redis has it, on its own connection."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event

import pytest
import redis
from hypothesis import Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ingest.loop import Ingester
from tests.buffers import make_writer
from tests.session_broker import Cut, SessionBroker
from zelador.buffer import Writer
from zelador.buffer.batch import known_by
from zelador.buffer.keys import Keys
from zelador.decode import Decoder
from zelador.heartbeat import Heartbeat
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions
from zelador.link.buffered import CHUNK
from zelador.link.connection import Connection
from zelador.metrics import IngestMetrics
from zelador.settings import MqttSettings, RedisSettings, Settings

TOPIC = "sensors/press/reading"
LARGEST = 30_000  # bytes that a message may have in these tests
PADDED = 20_000  # so that the socket holds only a few messages
STALLED_S = 60.0  # without one more acknowledgement
# Shrinking would wait as long again at each of its steps.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@dataclass(frozen=True)
class RedisFault:
    """Redis fails at this append, before or after it executed the step; the broker may disconnect at the same time."""

    did_it: bool
    cut: bool


@dataclass(frozen=True)
class Case:
    kinds: list[str]
    window: int
    honours: bool
    padded: bool
    batch: int
    cuts: list[Cut]
    faults: dict[int, RedisFault]
    same_ids: bool  # packet ids begin again on each connection; else each connection has its own

    def messages(self) -> list[tuple[str, bytes]]:
        return [(*_message(kind, number, self.padded),) for number, kind in enumerate(self.kinds)]

    def first_id(self, connection: int) -> int:
        return 1 if self.same_ids else 1 + 1_000 * connection


def _message(kind: str, number: int, padded: bool) -> tuple[str, bytes]:
    good = {"lux": number, "temperature": 20, "vibration": 0.1, "id": f"r-{number}"}
    body: object = {
        "good": good,
        "repeated": {**good, "id": "r-0"},
        "malformed": {"lux": "bright", "number": number},
        "array": [good, {**good, "id": f"s-{number}"}, {"bad": number}],
        "bad array": [{"bad": number}, number],
    }.get(kind, good)
    payload = json.dumps(body).encode()
    if kind == "no JSON":
        payload = payload[:-1]
    size = LARGEST + 1 if kind == "oversized" else PADDED if padded else len(payload)
    topic = "sensors/" + "x" * 200 + "/reading" if kind == "no device" else TOPIC
    return topic, b" " * (size - len(payload)) + payload


KINDS = ("good", "repeated", "malformed", "no JSON", "oversized", "array", "bad array", "no device")
cuts = st.builds(
    Cut,
    after_sent=st.none() | st.integers(1, 12),
    after_acked=st.none() | st.integers(1, 12),
    half=st.booleans(),
    reset=st.booleans(),
)
cases = st.builds(
    Case,
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=30),
    window=st.integers(1, 8),
    honours=st.booleans(),
    padded=st.booleans(),
    batch=st.integers(1, 12),
    cuts=st.lists(cuts, max_size=4),
    faults=st.dictionaries(
        st.integers(0, 6), st.builds(RedisFault, did_it=st.booleans(), cut=st.booleans()), max_size=3
    ),
    same_ids=st.booleans(),
)


@dataclass
class Stored:
    """Tells whether Redis has all of a message: the ids of its readings, and its refused parts in quarantine."""

    client: redis.Redis
    settings: Settings
    known: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._decoder = Decoder(self.settings)
        self._keys = Keys(self.settings.redis.prefix)

    def __call__(self, topic: str, payload: bytes) -> bool:
        arrival, refused = self._decoder.decode(topic, payload, time.time_ns() // 1_000_000)
        digests = {hashlib.sha256(raw).hexdigest().encode() for _, raw in refused}
        if not digests <= self.known:
            self.known = {entry[b"digest"] for _, entry in self.client.xrange(self._keys.quarantine)}  # type: ignore[union-attr]
        ids = [known_by(arrival.device_id, reading) for reading in arrival.readings] if arrival else []
        return digests <= self.known and all(self.client.sismember(self._keys.seen[0], made_id) for made_id in ids)


@pytest.fixture(scope="module")
def peak() -> Iterator[Callable[[], int]]:
    """Returns the most messages that a connection held since the last call. Shortens waits."""
    held = [0]
    turn = Connection.turn

    def watched(connection: Connection, wait: float) -> None:
        turn(connection, wait)
        held[0] = max(held[0], connection.held)

    def ask() -> int:
        most, held[0] = held[0], 0
        return most

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "turn", watched)
        patch.setattr("ingest.loop.IDLE_S", 0.01)
        patch.setattr("zelador.link.session.backoff", lambda *_, **__: 0.001)
        patch.setattr("zelador.buffer.connection.backoff", lambda *_, **__: 0.01)
        yield ask


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "paho"])
@examples(max_examples=60, deadline=None, phases=PHASES)
@given(case=cases)
def test_each_message_frees_its_slot_once(redis_url: str, peak: Callable[[], int], lane: bool, case: Case) -> None:
    prefix = uuid.uuid4().hex[:12]
    messages = case.messages()
    stop = Event()
    made = Settings(
        redis=RedisSettings(url=redis_url, prefix=prefix),
        ingest={"batch": case.batch, "max_payload_bytes": LARGEST},
    )
    outside = redis.Redis.from_url(redis_url)
    stored = Stored(outside, made)
    with SessionBroker(messages, case.window, case.honours, case.cuts, stored, case.first_id) as broker:
        mqtt = MqttSettings(url=broker.url, receive_maximum=case.window, lane=lane)
        link = Link(mqtt, LinkOptions("ingest", ("sensors/+/reading",), persistent=True), stop)
        writer = make_writer(made, stop, prefix, wait=link.rest)
        _let_fail(writer, case.faults, broker)
        ingester = Ingester(made, link, writer, IngestMetrics(), Heartbeat(outside, prefix, "ingest", prefix))
        peak()
        came, since = 0, time.monotonic()
        while not broker.done.is_set():
            ingester.step()
            if len(broker.acknowledged) > came:
                came, since = len(broker.acknowledged), time.monotonic()
            assert time.monotonic() - since < STALLED_S, (broker.faults, came, broker.connections)
        link.keep_alive()
        link.close()
        broker.goodbye.wait(1.0)
    ledger = LedgerReader(outside, prefix).read()
    assert broker.faults == []
    assert Counter(broker.acknowledged) == Counter(messages)
    smallest = min(len(payload) for _, payload in messages)
    assert peak() <= case.window + (CHUNK // smallest + 1 if lane and not case.honours else 0)
    good, refused = _expected(made, messages)
    assert ledger.unaccounted == 0
    assert ledger.accepted == len(set(good))
    assert ledger.quarantined >= refused
    if broker.connections == 1:
        assert (ledger.quarantined, ledger.repeated) == (refused, len(good) - len(set(good)))
    writer.connection.client.close()
    for key in outside.scan_iter(match=f"{{{prefix}}}:*"):
        outside.unlink(key)
    outside.close()


def _let_fail(writer: Writer, faults: dict[int, RedisFault], broker: SessionBroker) -> None:
    real, numbers = writer._library.call, itertools.count()

    def append(*arguments: object) -> object:
        fault = faults.get(next(numbers))
        if fault is None:
            return real(*arguments)  # type: ignore[arg-type]
        if fault.did_it:
            real(*arguments)  # type: ignore[arg-type]
        if fault.cut:
            broker.cut()
        raise redis.ConnectionError("the test's fault")

    writer._library.call = append  # type: ignore[method-assign]


def _expected(settings: Settings, messages: list[tuple[str, bytes]]) -> tuple[list[str], int]:
    """Returns the identity of each good reading, including repeats, and the number of refused readings."""
    decoder, ids, refused = Decoder(settings), list[str](), 0
    for topic, payload in messages:
        arrival, bad = decoder.decode(topic, payload, time.time_ns() // 1_000_000)
        ids += [known_by(arrival.device_id, reading) for reading in arrival.readings] if arrival else []
        refused += len(bad)
    return ids, refused
