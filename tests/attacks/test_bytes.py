"""A device sends large, numerous or ever-changing messages: Redis stays within its bounds, and others are served.

Each test uses small bounds, so that it takes a second: it checks that a bound holds, not how large it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest
from prometheus_client import CollectorRegistry

from command.up.ports import HOST, choose
from command.up.servers import redis_server
from ingest.pressure import Pressure
from tests.buffers import make_reader, make_writer
from tests.integration import recount
from tests.integration.api.test_api import serving
from tests.integration.test_buffer import entry
from tests.servers import run_process
from zelador import endpoints
from zelador.buffer import Outcome, Refused, connect_redis
from zelador.buffer.batch import refusals
from zelador.buffer.keys import Keys
from zelador.decode import Decoder
from zelador.heartbeat import Heartbeat
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Prediction, Reading
from zelador.quarantine import Quarantine
from zelador.settings import RedisSettings, Settings, TopicSettings
from zelador.watchdog import Facts, Watchdog

MIB = 1_048_576
ROOM = 24 * MIB  # of the small Redis, which itself uses a tenth of it


@pytest.fixture(scope="module")
def small_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that is full at ROOM bytes, like one in a container with a limit."""
    port = choose(["redis"], {}, {})["redis"]
    server = redis_server(tmp_path_factory.mktemp("redis"), port, maxmemory=ROOM)
    with run_process(server.command, port):
        yield f"redis://{HOST}:{port}/0"


@pytest.fixture
def small(small_redis: str, mark: str) -> Iterator[Settings]:
    """Bounds that fit into the small Redis together."""
    bounds = RedisSettings(
        url=small_redis, prefix=mark, keep_bytes=2 * MIB, keep_devices=500, keep_quarantine=400,
        keep_quarantine_bytes=MIB, repeat_window=2_000, keep_predictions=100, timeout_s=5.0,
    )  # fmt: skip
    settings = Settings(redis=bounds, topics=TopicSettings(), ingest={"high_water_bytes": 4 * MIB})
    yield settings
    with connect_redis(bounds) as client:
        client.flushall()


class Site:
    """An ingester that stops at its high-water mark, and a worker that is far slower than the flood."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.writer = make_writer(settings, Event(), "ingest", self.wait)
        self.reader = make_reader(settings, Event(), "worker", self.wait)
        self.client = self.writer.connection.client
        self.decoder = Decoder(settings)
        self.pressure = Pressure(settings.ingest.high_water, high_bytes=settings.ingest.high_water_bytes)
        self.peak = 0
        self.answered: list[Arrival] = []

    def wait(self, seconds: float) -> None:
        """Waits for Redis, which may be slow but must not refuse."""
        for connection in (self.writer.connection, self.reader.connection):
            assert connection.refusal is None
        time.sleep(seconds)

    def take(self, *batch: Arrival, refused: tuple[Refused, ...] = ()) -> None:
        """Stores a batch; first makes room as the loop does: waits until enough is classified."""
        for _ in range(1_000):
            if not self.pressure.holding:
                break
            self.classify(20)
            self.pressure = self.pressure.after(*self.writer.backlog())
        else:
            pytest.fail("it holds for ever")
        stored = self.writer.append(batch, refused)
        self.pressure = self.pressure.after(stored.backlog, stored.waiting_bytes)
        self.peak = max(self.peak, self.client.info("memory")["used_memory"])

    def classify(self, limit: int = 5_000) -> int:
        got = self.reader.read(limit, 0)
        arrivals = [arrival for item in got for arrival in item.arrivals or ()]
        self.answered += arrivals
        predictions = [
            Prediction("p" * 32, reading.id, arrival.device_id, "t", "yes", 0.9, {"yes": 0.9}, "m", "d" * 64, 3, "now")
            for arrival in arrivals
            for reading in arrival.readings
        ]
        self.reader.settle([Outcome(item.stream_id, item.count) for item in got], predictions)
        return len(got)

    def finish(self) -> None:
        idle = 0
        while idle < 3:
            idle = 0 if self.classify() else idle + 1

    def closes(self) -> None:
        assert LedgerReader(self.client, self.settings.redis.prefix).read().unaccounted == 0
        recount.check_sums(self.client, self.settings.redis.prefix)


def honest(number: int) -> Arrival:
    return Arrival("honest", (Reading(f"h{number}", (1.0, 2.0, 3.0), 1_000),), 1_000)


@pytest.fixture
def site(small: Settings) -> Site:
    return Site(small)


def test_a_flood_of_large_requests_neither_fills_redis_nor_blocks_others(site: Site) -> None:
    """1,500 requests with 64,000 bytes of correlation data: four times what Redis has, and all are answered."""
    fat = (b"\xff" * 64_000).hex()
    for lot in range(0, 1_500, 10):
        evil = [
            Arrival("evil", (Reading(f"e{lot + i}", (1.0, 2.0, 3.0), 1_000),), 1_000, False, "r/1", fat)
            for i in range(10)
        ]
        site.take(*evil, honest(lot))
    site.finish()
    assert site.peak < ROOM * 0.8
    assert sum(arrival.correlation == fat for arrival in site.answered) == 1_500
    assert sum(arrival.device_id == "honest" for arrival in site.answered) == 150
    assert not site.client.exists(Keys(site.settings.redis.prefix).requests)
    site.closes()


def test_requests_that_nobody_answers_stop_the_ingester_before_redis_is_full(site: Site) -> None:
    """No worker runs: the ingester stops at its own limit before Redis is full, and nothing is refused."""
    sent = 0
    while not site.pressure.holding and sent < 1_000:
        asking = Arrival("evil", (Reading(f"e{sent}", (1.0, 2.0, 3.0), 1_000),), 1_000, False, "r/1", "ff" * 64_000)
        site.take(asking)
        sent += 1
    assert sent <= 4 * MIB // 64_000 + 1
    assert site.peak < ROOM * 0.8
    site.closes()


def test_readings_with_the_longest_ids_and_labels(site: Site) -> None:
    """Every text of a reading has its maximum length, in characters of four bytes, and is never repeated."""
    topic = site.settings.topics.reading
    for lot in range(0, 6_000, 250):
        batch = []
        for i in range(lot, lot + 250):
            named = f'"id":"{i:08d}{"😀" * 120}","label":"{"🚀" * 128}","seq":{i * 7}'
            said = f'{{"lux":1,"temperature":2,"vibration":3,{named}}}'
            device = f"{i % 700:08d}" + "😀" * 120
            arrival, bad = site.decoder.decode(topic.format(device_id=device), said.encode(), 1_795_514_400_000)
            assert arrival is not None
            assert not bad
            batch.append(arrival)
        site.take(*batch, honest(lot))
    site.finish()
    keys = Keys(site.settings.redis.prefix)
    assert site.peak < ROOM * 0.9
    assert sum(map(len, site.client.smembers(keys.seen[0]) | site.client.smembers(keys.seen[1]))) < 4_500 * 96
    assert sum(arrival.device_id == "honest" for arrival in site.answered) == 24
    assert recount.stream_bytes(site.client, site.settings.redis.prefix) < 3 * MIB  # the limit, and one append
    site.closes()


def test_endless_new_device_ids_are_forgotten_longest_silent_first(site: Site) -> None:
    """Of 30,000 new devices, only the allowed number of hashes is kept, even if they are answered later."""
    keys = Keys(site.settings.redis.prefix)
    site.take(honest(0))
    levels = []
    for lot in range(0, 30_000, 500):
        site.take(*(entry(f"r{i}", device=f"d{i:05d}" + "x" * 100) for i in range(lot, lot + 500)), honest(lot + 1))
        site.classify()
        levels.append(site.client.info("memory")["used_memory"])
    site.finish()
    assert site.client.zcard(keys.devices) == 500
    hashes = list(site.client.scan_iter(match=keys.device("*").replace("{", "\\{"), count=5_000))
    assert len(hashes) <= 500
    assert all(site.client.ttl(key) > 0 for key in hashes)
    assert site.client.hlen(keys.last_predictions) <= 500
    standing = LedgerReader(site.client, site.settings.redis.prefix).snapshot()
    assert standing.devices_forgotten >= 29_501
    assert max(levels[30:]) < 1.1 * max(levels[10:30])  # it does not grow further
    site.closes()


def junk(site: Site, device: str, payload: bytes, count: int = 1) -> tuple[Refused, ...]:
    topic = site.settings.topics.reading.format(device_id=device)
    made: list[Refused] = []
    for _ in range(count):
        _, bad = site.decoder.decode(topic, payload, 1_000)
        made += refusals(topic, bad, 1_000, site.settings.ingest.max_payload_bytes)
    return tuple(made)


@pytest.mark.parametrize(
    ("device", "payload", "count"),
    [
        ("evil", b"junk", 3_000),
        ("evil", b"\x00" * 30_000, 300),
        ("evil", b"x" * 1_100_000, 60),  # larger than the limit: only its beginning is kept
        ("e" * 60_000, b"", 300),  # the topic is nearly all of it, and names no device
        ("e/f", b"junk", 3_000),
    ],
)
def test_a_flood_of_junk_leaves_the_evidence_against_others(
    site: Site, device: str, payload: bytes, count: int
) -> None:
    site.take(refused=junk(site, "broken", b'{"lux": "dark"}', 25))
    for lot in range(0, count, 100):
        site.take(refused=junk(site, device, payload, min(100, count - lot)))
    quarantine = Quarantine(site.client, site.settings)
    kept = [each for each in quarantine.page(500) if "/broken/" in each.topic]
    assert len(kept) == 25
    standing = LedgerReader(site.client, site.settings.redis.prefix).snapshot()
    assert standing.kept <= 400
    assert standing.kept_bytes <= MIB
    assert standing.kept + standing.discarded == count + 25
    assert site.peak < ROOM * 0.9
    site.closes()


def test_junk_from_endless_invented_devices_pushes_out_only_itself(site: Site) -> None:
    """5,000 messages, each from another device, do not push out the quarantined messages of other devices."""
    site.take(refused=junk(site, "broken", b'{"lux": "dark"}', 25))
    for lot in range(0, 5_000, 100):
        site.take(refused=tuple(item for i in range(lot, lot + 100) for item in junk(site, f"d{i}", b"junk")))
        if lot < 1_000:
            site.take(refused=junk(site, "broken", b'{"lux": "dim"}'))
    topics = [each.topic for each in Quarantine(site.client, site.settings).page(500)]
    assert sum("/broken/" in topic for topic in topics) == 35
    assert len(topics) == 400
    site.closes()


def test_a_full_redis_shows_at_once_on_the_ingesters_readiness(
    small: Settings, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits or arrives, yet readiness reports that Redis refuses writes, and later that it accepts them."""
    monkeypatch.setattr("zelador.heartbeat.EVERY_S", 0.05)
    client = connect_redis(small.redis)
    heartbeat = Heartbeat(client, small.redis.prefix, "ingest", "i")

    def facts() -> Facts:
        heartbeat.beat(connected_at=1)
        return Facts(turned_at=time.monotonic(), refusal=heartbeat.refusal)

    watchdog = Watchdog(facts, 30.0, Event())
    metrics = small.metrics.model_copy(update={"port": choose(["m"], {}, {})["m"]})
    close = endpoints.serve(metrics, CollectorRegistry(), watchdog.trouble)
    try:
        url = f"http://{HOST}:{metrics.port}/readyz"
        assert httpx.get(url).status_code == 200
        client.config_set("maxmemory", "1")
        eventually(lambda: httpx.get(url).status_code == 503, "the refusal to show")
        assert "Redis refuses writes" in httpx.get(url).json()["detail"]
        client.config_set("maxmemory", str(ROOM))
        eventually(lambda: httpx.get(url).status_code == 200, "readiness")
    finally:
        client.config_set("maxmemory", str(ROOM))
        close()


@pytest.mark.attack_long
def test_a_full_redis_shows_at_once_on_the_apis_readiness(
    small: Settings, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """Redis answers, the registry is intact, and nothing waits."""
    port = choose(["api"], {}, {})["api"]
    local = small.model_copy(
        update={
            "registry": small.registry.model_copy(update={"url": str(tmp_path / "registry")}),
            "api": small.api.model_copy(update={"keys_file": tmp_path / "keys.json", "port": port}),
        }
    )
    client = connect_redis(small.redis)
    with serving(local) as api:
        assert api.get("/readyz").status_code == 200
        client.config_set("maxmemory", "1")
        try:
            eventually(lambda: api.get("/readyz").status_code == 503, "the refusal to show")
            assert "Redis refuses writes: " in api.get("/readyz").json()["detail"]
        finally:
            client.config_set("maxmemory", str(ROOM))
        eventually(lambda: api.get("/readyz").status_code == 200, "readiness")


def test_an_ingester_whose_append_is_refused_reports_it_while_it_holds(
    small: Settings, eventually: Callable[..., None]
) -> None:
    stop = Event()
    writer = make_writer(small, stop, "ingest", wait=lambda _seconds: stop.wait(0.02))
    client = connect_redis(small.redis)
    client.config_set("maxmemory", "1")
    thread = Thread(target=writer.append, args=([honest(1)], []), daemon=True)
    thread.start()
    try:
        eventually(lambda: writer.connection.refusal is not None, "the refusal")
        assert "maxmemory" in str(writer.connection.refusal)
    finally:
        client.config_set("maxmemory", str(ROOM))
        thread.join(60)
    assert writer.connection.refusal is None
    assert writer.connection.error is None
