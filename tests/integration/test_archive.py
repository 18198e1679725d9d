"""The archiver on a real Redis: each reading is in the files once, whatever happens, and the ledger agrees."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from threading import Event

import pytest
import redis

from archive.service import Archiver
from tests.archived import archived
from tests.buffers import make_reader, make_writer
from tests.integration.test_buffer import client as client
from tests.integration.test_buffer import ledger as ledger
from tests.integration.test_buffer import reader as reader
from tests.integration.test_buffer import writer as writer
from zelador.buffer import Outcome, Reader, Writer
from zelador.buffer.archive_stream import ArchiveStream, PositionChanged
from zelador.buffer.connection import RedisConnection
from zelador.buffer.keys import ARCHIVE, Keys
from zelador.buffer.outcome_batch import outcome_batch
from zelador.clock import now_ms
from zelador.heartbeat import Heartbeat
from zelador.ledger import ArchiveCounts, LedgerReader
from zelador.messages import Arrival, Prediction, Reading
from zelador.metrics import ArchiveMetrics
from zelador.quarantine import Quarantine
from zelador.settings import ArchiveSettings, Settings

number = itertools.count()


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    archive = ArchiveSettings(url=str(tmp_path / "archive"), write_s=0.001)
    small = settings.redis.model_copy(update={"pack": 3})
    return settings.model_copy(update={"archive": archive, "redis": small})


@pytest.fixture
def folder(settings: Settings) -> Path:
    return Path(settings.archive.url)


def an_archiver(settings: Settings) -> Archiver:
    stop = Event()
    connection = RedisConnection(settings.redis, stop)
    stream = ArchiveStream(connection, settings.redis.prefix)
    beat = Heartbeat(connection.client, settings.redis.prefix, "archive", "1")
    return Archiver(settings.archive, stream, beat, ArchiveMetrics(), stop)


def work(archiver: Archiver) -> None:
    """Steps until nothing is left to do."""
    while archiver.step() == 0.0 or archiver.waiting:
        pass


def message(*ids: str, device: str = "press-07", label: str | None = None) -> Arrival:
    now = now_ms()
    readings = tuple(Reading(id_, (1.0, None, 3.5), now, label, 7, "c0ffee") for id_ in ids)
    return Arrival(device, readings, now, array=len(ids) > 1)


def counts(ledger: LedgerReader) -> ArchiveCounts:
    found = ledger.read()
    assert found.unaccounted == 0
    assert found.archive is not None
    return found.archive


def test_readings_and_predictions_are_in_files_once_and_counted(
    settings: Settings, writer: Writer, reader: Reader, ledger: LedgerReader, folder: Path
) -> None:
    writer.append([message("a", label="yes"), message("b", "c"), message("d", device="pump")], [])
    archiver = an_archiver(settings)
    work(archiver)
    assert (counts(ledger).archived, counts(ledger).waiting) == (4, 0)
    writer.append([message("e")], [])
    assert (counts(ledger).archived, counts(ledger).waiting) == (4, 1)
    got = reader.read(100, 0.05) or reader.read(100, 0.05)
    predictions: list[Prediction | None] = []
    for delivered in got:
        assert delivered.arrivals is not None
        for arrival in delivered.arrivals:
            for reading in arrival.readings:
                made = None
                if reading.id != "c":
                    p = None if reading.id == "d" else 0.73214
                    made = Prediction("p", reading.id, arrival.device_id, "", reading.id, p, None, "m", "dd", 3,
                                      "2026-11-24T10:00:00.004Z")  # fmt: skip
                predictions.append(made)
    batch = outcome_batch([d.stream_id for d in got], [d.count for d in got], predictions)
    reader.settle([Outcome(d.stream_id, d.count) for d in got], [p for p in predictions if p], for_archive=batch)
    assert reader.archived
    assert counts(ledger).outcomes_bytes > 0
    work(archiver)
    assert counts(ledger) == ArchiveCounts(5, 0, 0, 0, 0, 0, 0)
    found = archived(folder)
    assert found.ids == dict.fromkeys("abcde", 1)
    row = {row["id"]: row for row in found.rows}
    assert (row["a"]["label"], row["b"]["label"], row["a"]["seq"], row["d"]["device_id"]) == ("yes", None, 7, "pump")
    assert (row["a"]["lux"], row["a"]["temperature"], row["a"]["vibration"]) == (1.0, None, 3.5)
    key = {tuple(row[name] for name in ("entry_ms", "entry_seq", "place")): row["id"] for row in found.rows}
    joined = {key[tuple(each[name] for name in ("entry_ms", "entry_seq", "place"))]: each for each in found.outcomes}
    assert set(joined) == {"a", "b", "d", "e"}
    assert all(each["label"] == id_ and each["selection"] == 3 for id_, each in joined.items())
    assert joined["a"]["confidence"] == pytest.approx(0.7321) and joined["d"]["confidence"] is None
    assert all(each["model_digest"] == "dd" for each in found.outcomes)


def test_a_label_that_comes_with_a_repeat_is_archived(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    """Such a label is stored beside the stream, only in Redis, where newer ones replace it."""
    writer.append([message("a"), message("b", "c"), message("a", device="pump")], [])
    writer.append([message("a", label="yes"), message("c", label="no")], [])  # repeats
    work(an_archiver(settings))
    found = {(row["device_id"], row["id"]): row["label"] for row in archived(folder).rows}
    assert found == {("press-07", "a"): "yes", ("press-07", "b"): None, ("press-07", "c"): "no", ("pump", "a"): None}
    assert counts(ledger).archived == 4


def test_a_crash_between_the_commit_and_redis_repeats_nothing(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    writer.append([message("a"), message("b", "c")], [])
    archiver = an_archiver(settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArchiveStream, "done", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            work(archiver)
    assert archived(folder).ids == {"a": 1, "b": 1, "c": 1}
    assert (counts(ledger).archived, counts(ledger).waiting) == (0, 3)
    writer.append([message("d")], [])
    work(an_archiver(settings))
    assert archived(folder).ids == dict.fromkeys("abcd", 1)
    assert (counts(ledger).archived, counts(ledger).waiting) == (4, 0)


def test_two_archivers_at_once_write_each_reading_once(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path
) -> None:
    one, other = an_archiver(settings), an_archiver(settings)
    for turn in range(6):
        writer.append([message(f"r{turn}-{place}") for place in range(7)], [])
        for archiver in (one, other) if turn % 2 else (other, one):
            try:
                archiver.step()
            except PositionChanged:
                archiver.lost_place()
    for archiver in (one, other):
        try:
            work(archiver)
        except PositionChanged:
            archiver.lost_place()
            work(archiver)
    assert archived(folder).ids == {f"r{turn}-{place}": 1 for turn in range(6) for place in range(7)}
    assert counts(ledger).archived == 42


def test_a_redis_that_lost_its_last_seconds_is_reported_and_nothing_is_archived_twice(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    keys = Keys(settings.redis.prefix)
    writer.append([message("a"), message("b")], [])
    work(an_archiver(settings))
    dumps = {key: client.dump(key) for key in client.keys(f"{{{settings.redis.prefix}}}:*")}
    writer.append([message("c"), message("d")], [])
    work(an_archiver(settings))
    lost = client.xrange(keys.readings)[-1]
    client.delete(*client.keys(f"{{{settings.redis.prefix}}}:*"))
    for key, dump in dumps.items():
        client.restore(key, 0, dump)
    # The clock of Redis went back: a new entry has an id that the archive passed long ago.
    ms, _, _ = lost[0].decode().partition("-")
    client.xadd(keys.readings, lost[1], id=f"{int(ms) - 1}-99")
    client.hincrby(keys.ledger, "accepted", 2)
    client.hincrby(keys.ledger, "received", 2)
    archiver = an_archiver(settings)
    work(archiver)
    assert archiver.remark is not None and "came back" in archiver.remark
    ids = archived(folder).ids
    assert ids["a"] == ids["b"] == 1
    assert ids["c"] == ids["d"] == 2  # sent again by the device: these are other entries
    assert counts(ledger).waiting == 0


def test_readings_beyond_the_hold_are_missed_and_counted(
    settings: Settings, writer: Writer, reader: Reader, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    small = settings.redis.model_copy(update={"keep_readings": 200})
    hold = settings.archive.model_copy(update={"hold_bytes": 60_000})
    settings = settings.model_copy(update={"redis": small, "archive": hold})
    writer, reader = make_writer(settings, Event(), "small"), make_reader(settings, Event(), "w")
    patient = settings.model_copy(update={"archive": hold.model_copy(update={"write_s": 3_600.0})})
    archiver = an_archiver(patient)
    archiver.step()  # registers
    sent = 0

    def send(many: int) -> None:
        nonlocal sent
        for _ in range(many):
            writer.append([message(f"r{sent + place}") for place in range(10)], [])
            sent += 10
            got = reader.read(100, 0.0) or reader.read(100, 0.0)
            reader.settle([Outcome(d.stream_id, d.count) for d in got], [])

    send(30)  # more than Redis keeps without an archive
    assert (counts(ledger).missed, counts(ledger).waiting) == (0, sent)
    archiver.step()  # reads the entries, which are trimmed while it holds them
    send(100)
    before = counts(ledger)
    assert before.missed > 0 and before.missed + before.waiting == sent
    assert client.memory_usage(Keys(settings.redis.prefix).readings) < 200_000
    archiver.stop.set()
    archiver.run()  # writes the entries that it holds
    work(an_archiver(settings))
    after = counts(ledger)
    assert after.waiting == 0
    found = archived(folder)
    assert max(found.ids.values()) == 1
    assert after.archived == sum(found.ids.values()) and after.missed == sent - after.archived


def test_switching_it_off_reports_what_was_not_archived(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    keys = Keys(settings.redis.prefix)
    writer.append([message("a"), message("b")], [])
    archiver = an_archiver(settings)
    work(archiver)
    writer.append([message("c")], [])
    stream = ArchiveStream(RedisConnection(settings.redis, Event()), settings.redis.prefix)
    assert stream.end() == (True, 1, 0, 2)
    assert stream.end() == (False, 0, 0, 0)
    assert ledger.read().archive is None and ledger.read().unaccounted == 0
    assert all(group["name"] != ARCHIVE.encode() for group in client.xinfo_groups(keys.readings))
    work(an_archiver(settings))  # on again: what is still in Redis, each once
    assert archived(folder).ids == {"a": 1, "b": 1, "c": 1}
    assert counts(ledger).archived == 3


def test_a_replayed_reading_is_archived_once(
    settings: Settings, writer: Writer, reader: Reader, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    from zelador.buffer import Refused
    from zelador.messages import encode_json

    writer.append([message("a", "b")], [])
    work(an_archiver(settings))

    def set_aside() -> None:
        [delivered] = reader.read(100, 0.05) or reader.read(100, 0.05)
        assert delivered.arrivals is not None
        [arrival] = delivered.arrivals
        aside = tuple(
            Refused.of("t", "no", encode_json(Arrival(arrival.device_id, (each,), arrival.received_at)), 1, most=9_999,
                       features="lux,temperature,vibration",
                       entry=delivered.replayed or f"{delivered.stream_id} {place}")
            for place, each in enumerate(arrival.readings)
        )  # fmt: skip
        reader.settle([Outcome(delivered.stream_id, len(aside) - 1, aside[:1])], [])

    set_aside()
    quarantine = Quarantine(client, settings)
    for _ in range(2):
        assert [each.outcome for each in quarantine.replay_all()] == ["waiting"]
        work(an_archiver(settings))
        assert archived(folder).ids == {"a": 1, "b": 1}
        assert (counts(ledger).archived, counts(ledger).missed) == (2, 0)
        set_aside()


def test_an_archive_restored_from_a_copy_is_reported_and_filled_from_redis(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, tmp_path: Path
) -> None:
    writer.append([message("a"), message("b")], [])
    work(an_archiver(settings))
    shutil.copytree(folder, tmp_path / "copy")
    writer.append([message("c"), message("d")], [])
    archiver = an_archiver(settings)
    work(archiver)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    again = an_archiver(settings)
    work(again)
    assert again.remark is not None and "restored" in again.remark
    assert archived(folder).ids == dict.fromkeys("abcd", 1)
    assert (counts(ledger).archived, counts(ledger).missed) == (4, 0)


def test_readings_lost_by_a_restored_archive_and_by_redis_are_missed(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, tmp_path: Path, client: redis.Redis
) -> None:
    writer.append([message("a")], [])
    work(an_archiver(settings))
    shutil.copytree(folder, tmp_path / "copy")
    for name in "bc":
        writer.append([message(name)], [])
        work(an_archiver(settings))
    client.xtrim(Keys(settings.redis.prefix).readings, maxlen=1, approximate=False)  # "b" has left Redis
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    slow = settings.model_copy(update={"archive": settings.archive.model_copy(update={"write_s": 60.0})})
    an_archiver(slow).step()  # and is killed before it has written anything
    work(an_archiver(settings))
    assert archived(folder).ids == {"a": 1, "c": 1}
    found = ledger.read().archive
    assert found is not None
    assert (found.archived, found.missed, found.waiting) == (2, 1, 0)


def test_a_clean_stop_archives_what_is_in_redis(settings: Settings, writer: Writer, folder: Path) -> None:
    slow = settings.model_copy(update={"archive": settings.archive.model_copy(update={"write_s": 3_600.0})})
    archiver = an_archiver(slow)
    archiver.step()
    writer.append([message(f"r{place}") for place in range(9)], [])
    archiver.stop.set()
    archiver.run()
    assert archived(folder).ids == {f"r{place}": 1 for place in range(9)}


def test_an_entry_that_no_file_can_hold_is_counted_and_the_others_are_archived(
    settings: Settings, writer: Writer, ledger: LedgerReader, folder: Path, client: redis.Redis
) -> None:
    keys = Keys(settings.redis.prefix)
    ids = [f"r{place}" for place in range(30)]
    for begin in range(0, 30, 3):
        writer.append([message(name) for name in ids[begin : begin + 3]], [])
        if begin in (6, 21):  # entries that we never write: an id that is not text, and no JSON at all
            bad = b'[{"device_id":"d","received_at":1,"readings":[{"id":"\\ud800","values":[1,2,3],"measured_at":1}]}]'
            client.xadd(keys.readings, {b"lux,temperature,vibration": bad if begin == 6 else b"[{"})
            client.hincrby(keys.ledger, "accepted", 1)
            client.hincrby(keys.ledger, "received", 1)
    archiver = an_archiver(settings)
    while (found := ledger.read().archive) is None or found.waiting:
        archiver.stop.clear()
        archiver.turn()
    assert archived(folder).ids == dict.fromkeys(ids, 1)
    assert (found.archived, found.missed) == (30, 2)
    assert ledger.read().unaccounted == 0
