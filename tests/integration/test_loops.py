"""Both workers' loops, one step at a time, on a real broker, a real Redis and a real model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
import redis

from inference.loop import Worker
from inference.swap import Swap
from ingest.loop import Ingester
from ingest.service import subscriptions
from tests.buffers import make_reader, make_writer
from tests.small_models import select_one, upload
from tests.wire import Wire
from zelador.buffer.keys import Keys
from zelador.heartbeat import Heartbeat, workers
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions, Outgoing
from zelador.metrics import InferenceMetrics, IngestMetrics
from zelador.settings import Settings

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}


@dataclass
class Stack:
    settings: Settings
    ingester: Ingester
    ingest_link: Link
    worker: Worker
    swap: Swap
    device: Link
    subscriber: Link
    ledger: LedgerReader
    client: redis.Redis

    def send(self, device: str, *messages: object) -> None:
        topic = self.settings.topics.reading.format(device_id=device)
        payloads = [m if isinstance(m, bytes) else json.dumps(m).encode() for m in messages]
        assert self.device.confirmed(self.device.publish([Outgoing(topic, p) for p in payloads]), 60.0)

    def ingest(self, messages: int) -> None:
        moved = 0
        for _ in range(30):
            moved += self.ingester.step()
            if moved >= messages:
                break
        assert moved == messages

    def classify(self, readings: int) -> None:
        settled = 0
        for _ in range(100):
            settled += self.worker.step()
            if settled >= readings:
                break
        assert settled == readings

    def predictions(self, count: int) -> list:
        got: list = []
        for _ in range(50):
            batch = self.subscriber.receive(100, 0.1)
            self.subscriber.ack(batch)
            got += [json.loads(message.payload) for message in batch]
            if len(got) >= count:
                break
        return got


@pytest.fixture
def stack(settings: Settings, tmp_path: Path, mark: str) -> Iterator[Stack]:
    settings = settings.model_copy(update={"registry": settings.registry.model_copy(update={"url": str(tmp_path)})})
    select_one(tmp_path)
    stop = Event()

    def link(name: str, *filters: str, persistent: bool = False) -> Link:
        made = Link(settings.mqtt, LinkOptions(f"{name}-{mark}", filters, persistent), stop)
        made.open(60.0)
        return made

    ingest_link = link("ingest", *subscriptions(settings), persistent=True)
    worker_link, device = link("worker"), link("device")
    subscriber = link("subscriber", settings.topics.prediction.format(device_id="+"), f"{mark}/press/answers")
    writer, reader = make_writer(settings, stop, mark), make_reader(settings, stop, mark)
    client = writer.connection.client
    beats = [Heartbeat(client, mark, service, mark) for service in ("ingest", "inference")]
    swap = Swap(settings, stop)
    swap.look()
    yield Stack(
        settings,
        Ingester(settings, ingest_link, writer, IngestMetrics(), beats[0]),
        ingest_link,
        Worker(settings, worker_link, reader, swap, InferenceMetrics(), beats[1], stop),
        swap,
        device,
        subscriber,
        LedgerReader(client, mark),
        client,
    )
    stop.set()
    for made in (ingest_link, worker_link, device, subscriber):
        made.close()


def test_one_reading_in_one_prediction_out(stack: Stack) -> None:
    stack.send("press", {**READING, "id": "r-1", "ts": "2026-11-24T10:00:00Z"})
    stack.ingest(1)
    stack.classify(1)
    (prediction,) = stack.predictions(1)
    assert prediction["reading_id"] == "r-1"
    assert prediction["device_id"] == "press"
    assert prediction["ts"] == "2026-11-24T10:00:00.000Z"
    assert prediction["label"] in ("yes", "no")
    assert sum(prediction["probabilities"].values()) == pytest.approx(1.0)
    assert prediction["model"] == "small"
    assert prediction["selection"] == stack.swap.live.sequence
    assert stack.ledger.read().flat()["classified"] == 1


def test_an_array_is_answered_by_one_array(stack: Stack) -> None:
    stack.send("gateway", [{**READING, "id": "a"}, {"bad": 1}, {**READING, "id": "b"}])
    stack.ingest(1)
    stack.classify(2)
    (answer,) = stack.predictions(1)
    assert [prediction["reading_id"] for prediction in answer] == ["a", "b"]
    assert stack.ledger.read().flat() == {
        "received": 3, "accepted": 2, "quarantined": 1, "repeated": 0,
        "classified": 2, "waiting": 0, "set_aside": 0, "unaccounted": 0,
    }  # fmt: skip


def test_unusable_messages_are_kept_with_topic_reason_and_bytes(stack: Stack) -> None:
    junk = b"\x01" * 1_100_000  # above the limit: only its beginning is kept
    stack.send("press", junk)
    stack.ingest(1)
    ((_, kept),) = stack.client.xrange(Keys(stack.settings.redis.prefix).quarantine)
    assert kept[b"topic"] == stack.settings.topics.reading.format(device_id="press").encode()
    assert b"1100000 bytes, more than 1048576" in kept[b"reason"]
    assert kept[b"payload"] == junk[:65_536]
    assert kept[b"length"] == b"1100000"
    assert len(kept[b"digest"]) == 64


def test_a_crash_between_store_and_acknowledgement_repeats_and_loses_nothing(stack: Stack) -> None:
    """The broker sends the batch again; its ids are known, so nothing is classified twice."""
    stack.send("press", {**READING, "id": "r-1"}, {**READING, "id": "r-2"})
    acknowledge, stack.ingest_link.ack = stack.ingest_link.ack, lambda batch: None
    stack.ingest(2)
    stack.ingest_link.ack = acknowledge
    stack.ingest_link._connection._lose("cut by the test")
    stack.ingest_link.keep_alive()
    stack.ingest(2)
    found = stack.ledger.read()
    assert (found.received, found.accepted, found.repeated, found.unaccounted) == (4, 2, 2, 0)


def test_a_reading_without_a_number_that_the_model_needs_is_set_aside_alone(stack: Stack) -> None:
    class Fussy:
        name, digest, features, classes = "fussy", "d", ("lux", "temperature", "vibration"), ("no", "yes")

        def classify(self, rows):
            if (rows[:, 0] == 13.0).any():
                raise ValueError("thirteen")
            return stack_model.classify(rows)

    from inference.lineup import Live
    from inference.swap import SwapState

    stack_model = stack.swap.live.model
    stack.swap._state = SwapState(Live(Fussy(), 7))
    stack.send("press", *({**READING, "id": f"r-{i}", "lux": 13.0 if i == 5 else 100.0} for i in range(12)))
    stack.ingest(12)
    stack.classify(12)
    got = stack.predictions(11)
    assert {prediction["reading_id"] for prediction in got} == {f"r-{i}" for i in range(12)} - {"r-5"}
    found = stack.ledger.read()
    assert (found.classified, found.set_aside, found.unaccounted) == (11, 1, 0)


def test_a_device_that_asks_for_a_response_gets_one(stack: Stack, mark: str) -> None:
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    asking = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"asking-{mark}", protocol=mqtt.MQTTv5)
    host, _, port = stack.settings.mqtt.url.removeprefix("mqtt://").partition(":")
    asking.connect(host, int(port))
    asking.loop_start()
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = f"{mark}/press/answers"
    properties.CorrelationData = b"\x2a"
    topic = stack.settings.topics.reading.format(device_id="press")
    asking.publish(topic, json.dumps({**READING, "id": "q"}), 1, properties=properties).wait_for_publish(5)
    asking.disconnect()
    asking.loop_stop()
    stack.ingest(1)
    stack.classify(1)
    got = []
    for _ in range(50):
        got += stack.subscriber.receive(10, 0.1)
        if len(got) == 2:
            break
    answer = next(message for message in got if message.topic == f"{mark}/press/answers")
    assert answer.correlation == b"\x2a"
    assert json.loads(answer.payload)["reading_id"] == "q"


def test_a_model_that_cannot_be_loaded_is_refused_and_the_old_one_stays_live(stack: Stack, tmp_path: Path) -> None:
    from registry.registry import Registry

    registry = Registry.open(tmp_path)
    registry.save("broken", upload(), by="test")
    path = Path(registry.where(registry.state.model("broken")))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    registry.select("broken", by="test")
    stack.swap.look()
    facts = stack.swap.facts()
    assert facts["model"] == "small"
    assert facts["refused_model"] == "broken"
    assert "model.skops does not match its digest" in facts["refused_reason"]
    registry.save("other", upload(features=("lux", "temperature", "humidity")), by="test")
    registry.select("other", by="test")
    stack.swap.look()
    assert "needs humidity" in stack.swap.facts()["refused_reason"]
    registry.select("small", by="test")
    stack.swap.look()
    assert stack.swap.facts()["refused_model"] is None
    assert stack.swap.live.sequence == registry.state.selection.sequence


def test_rolling_back_to_a_renamed_model_makes_it_live_under_its_name(stack: Stack, tmp_path: Path) -> None:
    from registry.registry import Registry

    registry = Registry.open(tmp_path)
    registry.save("other", upload(), by="test")
    registry.select("other", by="test")
    stack.swap.look()
    digest = registry.rename("small", "press-line", by="test").digest
    registry.save("small", upload(with_probabilities=False), by="test")
    registry.roll_back(by="test")
    stack.swap.look()
    stack.send("press", {**READING, "id": "r-1"})
    stack.ingest(1)
    stack.classify(1)
    (prediction,) = stack.predictions(1)
    assert (prediction["model"], prediction["model_digest"]) == ("press-line", digest)
    assert prediction["selection"] == registry.state.selection.sequence
    assert prediction["probabilities"] is not None


def test_both_workers_send_heartbeats(stack: Stack) -> None:
    stack.ingester.step()
    stack.worker.step()
    found = {worker["service"]: worker for worker in workers(stack.client, stack.settings.redis.prefix)}
    assert found["inference"]["model"] == "small"
    assert int(found["ingest"]["connected_at"]) > 0


def test_above_the_high_water_mark_nothing_is_taken_from_the_broker(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.pressure import Pressure

    monkeypatch.setattr("ingest.loop.HOLD_S", 0.02)
    stack.ingester._pressure = Pressure(high=5)
    stack.ingester._limit = 2
    stack.send("press", *({**READING, "id": f"r-{i}"} for i in range(12)))
    for _ in range(12):
        stack.ingester.step()
    assert stack.ledger.read().waiting == 6
    for _ in range(20):
        stack.worker.step()
        stack.ingester.step()
        if (classified := stack.ledger.read().classified) == 12:
            break
    assert classified == 12


def test_three_batches_are_in_flight_and_none_is_settled_before_the_broker_confirms(stack: Stack, mark: str) -> None:
    """The broker stops answering: published entries stay pending, at most three batches, and nothing is lost."""
    for lot in range(5):  # each an entry of the stream
        stack.send("press", *({**READING, "id": f"r-{lot * 10 + i}"} for i in range(10)))
        stack.ingest(10)
    port = int(stack.settings.mqtt.url.rpartition(":")[2])
    with Wire(port) as wire:
        mqtt = stack.settings.mqtt.model_copy(update={"url": wire.url})
        link = Link(mqtt, LinkOptions(f"stalled-{mark}"), Event())
        link.open(60.0)
        stack.worker._link, stack.worker._limit = link, 10
        wire.stall()
        for _ in range(6):
            assert stack.worker.step() == 0
        assert stack.client.xpending(Keys(mark).readings, "inference")["pending"] == 3
        assert stack.ledger.read().classified == 0
        wire.flow()
        stack.classify(50)
        assert [prediction["reading_id"] for prediction in stack.predictions(50)] == [f"r-{i}" for i in range(50)]
        assert stack.ledger.read().flat()["unaccounted"] == 0
        link.close()


def test_a_lost_reply_of_redis_repeats_no_prediction_in_flight(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker reads its pending list again, and must recognize entries that it already holds."""
    for lot in range(3):
        stack.send("press", *({**READING, "id": f"r-{lot * 10 + i}"} for i in range(10)))
        stack.ingest(10)
    reader = stack.worker._reader
    real, calls = reader._group_read, []

    def lose_the_second_answer(*arguments: object) -> object:
        result = real(*arguments)
        calls.append(result)
        if len(calls) == 2:  # one batch was read before, and is in flight
            raise redis.TimeoutError("the answer was lost")
        return result

    monkeypatch.setattr(reader, "_group_read", lose_the_second_answer)
    stack.worker._limit = 10
    stack.classify(30)
    assert len(calls) >= 3
    assert sorted(p["reading_id"] for p in stack.predictions(30)) == sorted(f"r-{i}" for i in range(30))
    assert stack.subscriber.receive(10, 0.2) == []


def test_a_stop_finishes_the_batches_in_flight(stack: Stack) -> None:
    stack.send("press", *({**READING, "id": f"r-{i}"} for i in range(5)))
    stack.ingest(5)
    stack.worker._reader.read(1, 0.01)  # makes the group
    assert stack.worker._begin(stack.swap.live, 1.0) == 5
    assert stack.ledger.read().flat()["classified"] == 0
    stack.worker._stop.set()
    stack.worker.run()
    assert stack.ledger.read().flat()["classified"] == 5


def test_a_batch_stops_being_stored_at_the_high_water_mark(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways send large arrays: the other messages of the batch wait until there is room again."""
    from ingest.pressure import Pressure

    monkeypatch.setattr("ingest.loop.HOLD_S", 0.02)
    stack.ingester._pressure = Pressure(high=100_000, high_bytes=100_000)
    arrays = [[{**READING, "id": f"{array}-{i}"} for i in range(2_000)] for array in range(7)]
    stack.send("gateway", *arrays)
    while stack.ingest_link.held < 7:  # all of them in one batch
        stack.ingest_link.rest(0.01)
    while not stack.ingester._pressure.holding:
        stack.ingester.step()
    assert [stack.ingester.step() for _ in range(3)] == [0, 0, 0]
    held = stack.ledger.snapshot()
    assert 0 < held.ledger.waiting <= 6_000  # one lot: it is cut after the array that reaches 5,000
    assert stack.ingest_link.held == 7 - held.ledger.waiting // 2_000
    for _ in range(60):
        stack.worker.step()
        stack.ingester.step()
        if stack.ledger.read().classified == 14_000:
            break
    assert stack.ledger.read().flat()["received"] == stack.ledger.read().classified == 14_000


def test_a_sum_that_is_too_high_does_not_block_forever(stack: Stack) -> None:
    """A worker of the previous version counts no bytes when it settles, so they are counted again before holding."""
    stack.client.hincrby(Keys(stack.settings.redis.prefix).ledger, "waiting_bytes", 2**40)
    stack.send("press", {**READING, "id": "a"})
    stack.ingest(1)
    assert not stack.ingester._pressure.holding
    stack.classify(1)
    assert stack.ledger.snapshot().waiting_bytes == 0
