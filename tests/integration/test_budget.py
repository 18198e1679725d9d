"""The memory that Redis uses at all limits is within the figures from which maxmemory is derived."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import msgspec
import pytest
import redis

from command.up.ports import HOST, choose
from command.up.servers import redis_server
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import entry
from tests.integration.test_bytes import asking, refused
from tests.servers import run_process
from zelador.buffer import Outcome, budget, connect_redis
from zelador.messages import Arrival, Prediction, Reading
from zelador.settings import RedisSettings, Settings

COUNT = 3_000


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = choose(["redis"], {}, {})["redis"]
    with run_process(redis_server(tmp_path_factory.mktemp("redis"), port).command, port):
        yield f"redis://{HOST}:{port}/0"


@pytest.fixture
def own(own_redis: str) -> Settings:
    settings = Settings(redis=RedisSettings(url=own_redis, prefix="budget"))
    with connect_redis(settings.redis) as client:
        client.flushall()
    return settings


def memory(client: redis.Redis, *keys: str) -> int:
    return sum(client.memory_usage(key, samples=0) or 0 for key in keys)


@pytest.mark.parametrize("size", [10, 400, 1_900, 5_000, 66_000])
def test_a_stream(own: Settings, size: int) -> None:
    """Large or small readings, with labels of any size, so that entries have all sizes."""
    writer = make_writer(own, Event(), "test")
    with connect_redis(own.redis) as client:
        for i in range(max(20, min(10 * COUNT, 10_000_000 // size)) // 20):
            arrivals = [
                Arrival("d", (Reading(f"{i}-{j}", (1.0, 2.0, 3.0), 1_000, "x" * size),), 1_000) for j in range(20)
            ]
            writer.append(arrivals, [])
        appended = int(client.hget("{budget}:ledger", "appended_bytes") or 0)
        taken = memory(client, "{budget}:readings")  # by the key: the server's total has its own buffers as well
    assert taken <= budget.STREAM * appended + 200_000


@pytest.mark.parametrize("size", [60, 500, 2_060, 2_100, 4_200, 66_000])
def test_entries_that_each_have_a_millisecond_of_their_own(own: Settings, size: int) -> None:
    """The worst case of a stream, whatever the speed of this machine: their ids share little, and share few blocks."""
    with connect_redis(own.redis) as client:
        count = 2_000_000 // size
        with client.pipeline(transaction=False) as pipeline:
            for i in range(count):
                pipeline.xadd("{budget}:readings", {b"d": b"x" * size}, id=f"{1_795_514_400_000 + 977 * i}-0")
            pipeline.execute()
        assert memory(client, "{budget}:readings") <= budget.STREAM * size * count + 200_000


def test_requests(own: Settings) -> None:
    writer = make_writer(own.model_copy(update={"redis": own.redis.model_copy(update={"pack": 1})}), Event(), "test")
    for i in range(0, COUNT, 100):
        writer.append([asking(f"{i + j}", correlation=b"x" * 50) for j in range(100)], [])
    client = writer.connection.client
    own_bytes = sum(len(value) for value in client.hvals("{budget}:requests"))
    assert memory(client, "{budget}:requests") <= own_bytes + budget.REQUEST * COUNT


def test_the_quarantine(own: Settings) -> None:
    """Each message is from another device, with the longest name."""
    writer = make_writer(own, Event(), "test")
    for i in range(0, COUNT, 100):
        writer.append([], [refused(f"{i + j:08d}" + "😀" * 120, 0) for j in range(100)])
    client = writer.connection.client
    keys = [key.decode() for key in client.scan_iter(match="*quarantine*", count=1_000)]
    assert len(keys) == 5
    own_bytes = int(client.hget("{budget}:ledger", "quarantine_bytes") or 0)
    assert memory(client, *keys) <= budget.STREAM * own_bytes + budget.QUARANTINED * COUNT


def test_devices_and_the_ids_of_their_readings(own: Settings) -> None:
    """The longest names, gaps with the largest numbers, the longest labels."""
    writer, reader = make_writer(own, Event(), "test"), make_reader(own, Event(), "worker")
    client = writer.connection.client
    names = [f"{i:08d}" + "😀" * 120 for i in range(COUNT)]
    numbers = [2**53 - 90_000_000 + 2_000_000 * step // 4 for step in range(34)]
    for at in range(0, COUNT, 100):
        arrivals = [
            Arrival(name, tuple(Reading(f"{s}", (1.0, 2.0, 3.0), 1_000, None, s) for s in numbers), 1_000, True)
            for name in names[at : at + 100]
        ]
        writer.append(arrivals, [])
    while got := reader.read(5_000, 0) or reader.read(5_000, 0):
        predictions = [
            Prediction(
                "p", "r", a.device_id, "t", "ż" * 128, 0.123456789, None, "m" * 64, "d", 3, "2026-11-24T10:00:00.000Z"
            )
            for item in got
            for a in item.arrivals or ()
        ]
        reader.settle([Outcome(item.stream_id, item.count) for item in got], predictions)
    assert len(client.hget("{budget}:device:" + names[0], "gaps")) > 1_000
    hashes = memory(client, *("{budget}:device:" + name for name in names[:200])) / 200
    each = (
        hashes + memory(client, "{budget}:devices", "{budget}:last-predictions") / COUNT + 60
    )  # and an entry of the keyspace, and its expiry
    assert each <= budget.DEVICE
    assert memory(client, "{budget}:missing") <= budget.MISSING
    seen = memory(client, "{budget}:seen:0", "{budget}:seen:1")
    assert seen <= budget.KNOWN * COUNT * len(numbers)


def test_readings_that_are_known_and_labels_that_came_late(own: Settings) -> None:
    """The longest ids that are not hashed, each with content; then a repeat of each, with the longest label."""
    writer = make_writer(own, Event(), "test")
    client = writer.connection.client
    for at in range(0, 10 * COUNT, 500):
        first = [Reading(f"{at + i:094d}", (1.0, 2.0, 3.0), 1_000, content=f"{at + i:016x}") for i in range(500)]
        again = [msgspec.structs.replace(each, label="ż" * 128) for each in first]
        writer.append([Arrival("d", tuple(first), 1_000, True), Arrival("d", tuple(again), 1_000, True)], [])
    assert memory(client, "{budget}:seen:0", "{budget}:seen:1") <= budget.KNOWN * 10 * COUNT
    late = [client.hlen(f"{{budget}}:late-labels:{i}") for i in range(2)]
    assert 0 < sum(late) <= 10 * COUNT
    content = sum(late) * (96 + 17 + 256 + 120)
    assert memory(client, *(f"{{budget}}:late-labels:{i}" for i in range(2))) <= 1.9 * content


def test_shown_predictions_stay_within_their_budget(own: Settings) -> None:
    writer, reader = make_writer(own, Event(), "test"), make_reader(own, Event(), "worker")
    labels = {f"{'x' * 30}{i:02d}": 0.01 for i in range(85)}  # just as long as is shown whole
    shown = [Prediction("p", str(i), "d", "t", next(iter(labels)), 0.01, labels, "m", "d", 3, "now") for i in range(20)]
    for i in range(300):
        writer.append([entry(str(i))], [])
        got = reader.read(100, 0) or reader.read(100, 0)
        reader.settle([Outcome(item.stream_id, item.count) for item in got], shown)
    client = writer.connection.client
    assert client.xlen("{budget}:predictions") <= own.redis.keep_predictions + 100
    assert memory(client, "{budget}:predictions") <= budget.parts(own)["predictions"]
