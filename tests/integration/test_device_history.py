"""The history of a device, from files of a real archive and the buffer of a real Redis."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from archive.archive import Archive
from operations.views.device_events import DeviceEvents
from operations.views.device_history import HistoryView, LastReading
from operations.views.devices import Devices, DeviceView
from operations.views.history_reader import FIRST_MS, LAST_MS, HistoryReader
from tests.archives import archive_buffer
from tests.attacks.api import wait_for
from tests.integration.test_repeats import Site, sample
from zelador.clock import now_ms
from zelador.errors import InvalidInput
from zelador.labels import Label, Labels, LabelStore
from zelador.messages import iso
from zelador.settings import Settings

FEATURES = ("lux", "temperature", "vibration")
MINUTE = 60_000
NOW = now_ms() // MINUTE * MINUTE - 10 * MINUTE  # readings arrive soon after they were measured


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Site:
    datasets = settings.datasets.model_copy(update={"cache": tmp_path / "datasets"})
    archive = settings.archive.model_copy(update={"url": str(tmp_path / "archive")})
    found = Site(settings.model_copy(update={"datasets": datasets, "archive": archive}))
    found._clock = itertools.count(now_ms())
    return found


def fill(site: Site, begin: int = 0, count: int = 60, **more: object) -> None:
    """Appends one reading a second from each of three devices, one with a quote in its name."""
    for i in range(begin, begin + count):
        for device in ("press-1", "press'2", "pump"):
            shift = 100 if device == "pump" else 0
            reading = sample(i + shift, ts=NOW + 1_000 * i, id=f"{device}-{i}", vibration=i / 10, **more)
            site.send(reading, device=device)


def archived(site: Site, last: str = "+", files: int = 1) -> Archive:
    folder = Path(site.settings.archive.url)
    return archive_buffer(folder, site.client, site.settings.redis.prefix, FEATURES, last, files)


def reader(site: Site, **options: object) -> HistoryReader:
    prefix = site.settings.redis.prefix
    events, labels = DeviceEvents(site.client, prefix), Labels(site.client, prefix)
    return HistoryReader(site.settings, site.client, labels, events, **{"wait_s": 60.0, **options})  # type: ignore[arg-type]


def device(site: Site, name: str = "press-1") -> DeviceView:
    return Devices(site.client, site.settings.redis.prefix).device(name)


def shown(
    site: Site, name: str = "press-1", begin: int = NOW, end: int = NOW + MINUTE, buckets: int = 6
) -> HistoryView:
    return reader(site, archive_s=60.0).history(device(site, name), begin, end, buckets)


def test_the_history_is_the_same_wherever_the_readings_are_stored(site: Site) -> None:
    """In the buffer, in many files, partly in both, without the buffer."""
    fill(site)
    buffer = shown(site)
    middle = site.client.xrange(site.keys.readings)[100][0].decode()
    archived(site, middle, files=40)
    both = shown(site)
    archived(site)
    whole = shown(site)
    site.client.delete(site.keys.readings)
    gone = shown(site)
    assert buffer == both == whole == gone
    assert (buffer["readings"], buffer["step_ms"], buffer["notes"]) == (60, 10_000, [])
    assert [bucket["readings"] for bucket in buffer["buckets"]] == [10] * 6
    first = buffer["buckets"][0]
    assert first["at"] == iso(NOW)
    assert first["values"]["lux"] == {"min": 400.0, "mean": 404.5, "max": 409.0}
    assert first["values"]["vibration"]["max"] == 0.9
    other = shown(site, "press'2", NOW + 5_500, NOW + 7_500, 240)
    assert (other["readings"], [each["values"]["lux"]["mean"] for each in other["buckets"]]) == (2, [406.0, 407.0])


def test_labels_of_the_device_are_cut_to_the_period(site: Site) -> None:
    fill(site)
    store = LabelStore(site.client, site.settings.redis.prefix)
    for name, of in (("a", "press-1"), ("b", "pump")):
        store.add([Label(name, of, NOW - MINUTE, NOW + 20_000, "yes", "", "somebody", NOW, "api")])
    found = shown(site)
    assert [(each["from"], each["to"], each["label"]) for each in found["labels"]] == [
        (iso(NOW), iso(NOW + 20_000), "yes")
    ]
    store.undo("a", "somebody", NOW)
    assert shown(site)["labels"] == []
    assert [each["state"] for each in found["states"]] == ["unknown"]  # no worker classifies


def test_states_of_a_device_with_many_changes_are_those_that_are_known(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.views.history_reader.MAX_EVENTS", 4)
    fill(site, count=1)
    states = ("ok", "alarm")
    for at in range(20):
        for name in ("press-1", "pump"):
            fields = {"device": name, "at": str(NOW + 1_000 * at), "from": states[at % 2], "to": states[1 - at % 2]}
            site.client.xadd(site.keys.device_events, fields, id=f"{NOW + 1_000 * at}-{int(name == 'pump')}")  # type: ignore[arg-type]

    def found(begin: int, end: int) -> list[tuple[str, str, str]]:
        return [
            (each["from"], each["to"], each["state"])
            for each in shown(site, begin=NOW + begin, end=NOW + end)["states"]
        ]

    def at(second: int) -> str:
        return iso(NOW + 1_000 * second)

    assert found(17_500, 19_500) == [
        (at(17)[:-4] + "500Z", at(18), "ok"), (at(18), at(19), "alarm"), (at(19), at(19)[:-4] + "500Z", "ok"),
    ]  # fmt: skip
    assert found(0, 20_000) == [
        (at(16), at(17), "alarm"), (at(17), at(18), "ok"), (at(18), at(19), "alarm"), (at(19), at(20), "ok"),
    ]  # fmt: skip
    assert found(2_000, 4_000) == [(at(2), at(3), "alarm"), (at(3), at(4), "ok")]


def test_a_deadline_leaves_out_files_evenly_and_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.dataset.history.read.BATCH_FILES", 8)
    fill(site, count=40)
    archived(site, files=40)
    clock = itertools.count()
    cut = reader(site, archive_s=0.5, clock=lambda: float(next(clock))).history(device(site), NOW, NOW + 40_000, 4)
    (note,) = cut["notes"]
    assert (note["kind"], note["share"]) == ("sampled", 0.2)
    assert "there was time to read 20%" in note["sentence"]
    assert [bucket["readings"] for bucket in cut["buckets"]] == [2] * 4
    assert shown(site, end=NOW + 40_000)["readings"] == 40


def test_a_damaged_archive_is_a_sentence_and_the_rest_is_shown(site: Site) -> None:
    fill(site)
    archive = archived(site, files=2)
    fill(site, 60, 10)
    path = archive.path(archive.snapshot().readings[0])
    assert path is not None
    path.unlink()
    part = shown(site, end=NOW + 70_000, buckets=7)
    assert [note["kind"] for note in part["notes"]] == ["damaged"]
    assert part["readings"] == 40 and "readings are missing" in part["notes"][0]["sentence"]
    for entry in (Path(site.settings.archive.url) / "log").iterdir():
        entry.write_text("{")
    broken = shown(site, end=NOW + 70_000, buckets=7)
    assert [note["kind"] for note in broken["notes"]] == ["archive"]
    assert broken["readings"] == 70  # in the buffer


def test_a_value_that_a_file_lacks_is_absent(site: Site) -> None:
    fill(site, count=10)
    folder, prefix = Path(site.settings.archive.url), site.settings.redis.prefix
    archive_buffer(folder, site.client, prefix, ("lux",))
    site.client.delete(site.keys.readings)
    assert {name for bucket in shown(site)["buckets"] for name in bucket["values"]} == {"lux"}


def test_the_newest_history_begins_with_the_plant_and_is_kept_for_a_moment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.views.history_reader.now_ms", lambda: NOW + 61_000)
    fill(site)
    archived(site)
    histories = reader(site, archive_s=60.0)
    found = histories.newest(device(site), 24 * 60 * MINUTE, 240)
    assert (found["from"], found["readings"]) == (iso(NOW), 60)
    site.send(sample(1, ts=NOW + 45_000, id="new"), device="new")
    assert histories.newest(device(site, "new"), 24 * 60 * MINUTE, 240)["from"] == iso(NOW + 45_000)
    fill(site, 60, 1)
    assert histories.newest(device(site), 24 * 60 * MINUTE, 240)["readings"] in (60, 61)
    assert reader(site).newest(device(site), 24 * 60 * MINUTE, 240)["readings"] == 61


def test_what_is_usual_for_a_device_is_known_after_a_day(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.views.history_reader.now_ms", lambda: NOW + 1)
    arrivals = [
        sample(i, ts=NOW - 172_800 * i, id=f"a-{i}", vibration=9.0 if i < 2 else i % 10 / 10) for i in range(501)
    ]
    for reading in arrivals:
        site.send(reading, device="press-1")
    archived(site, files=5)
    assert shown(site)["usual"]["vibration"] == {"low": 0.0, "high": 0.9}
    fill(site, count=1)
    assert shown(site, "pump")["usual"] == {}


def test_the_newest_reading_of_a_device_is_found_in_the_archive(site: Site) -> None:
    """The buffer does not keep it: the device was silent while others went on."""
    fill(site)
    archived(site, files=20)
    assert reader(site).last(device(site, "press'2")) == (
        LastReading(iso(NOW + 59_000), {"lux": 400.0 + 59, "temperature": 40.0, "vibration": 5.9}),
    )
    slow = reader(site, wait_s=0.0)
    assert slow.last(device(site)) is None  # it is still being read
    wait_for(lambda: slow.last(device(site)), "the reading")


def test_a_device_of_which_nothing_is_archived_has_no_newest_reading(site: Site) -> None:
    fill(site, count=1)
    assert reader(site).last(device(site)) == ()
    middle = site.client.xrange(site.keys.readings)[0][0].decode()
    archived(site, middle)
    assert len(reader(site).last(device(site, "press-1")) or ()) == 1
    site.send(sample(0, ts=NOW, id="late"), device="lathe")
    assert reader(site).last(device(site, "lathe")) == ()


def test_a_stop_ends_a_read_in_progress(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archive.dataset.history.read.BATCH_FILES", 1)
    fill(site)
    archived(site, files=10)
    histories = reader(site, archive_s=60.0)
    histories.close()
    (note,) = histories.history(device(site), NOW, NOW + MINUTE, 6)["notes"]
    assert (note["kind"], note["share"]) == ("sampled", 0.1)


def test_a_slow_archive_is_shown_when_it_has_been_read(site: Site) -> None:
    """Meanwhile the page shows what is in the buffer, and says so."""
    fill(site)
    archived(site)
    fill(site, 60, 5)
    histories = reader(site, wait_s=0.0, archive_s=60.0)
    first = histories.newest(device(site), 24 * 60 * MINUTE, 240)
    assert ([note["kind"] for note in first["notes"]], first["readings"]) == (["slow"], 5)
    histories._wait_s = 60.0
    assert histories.newest(device(site), 24 * 60 * MINUTE, 240)["readings"] == 65


def test_a_period_that_cannot_be_is_refused(site: Site) -> None:
    fill(site, count=1)
    archived(site)
    with pytest.raises(InvalidInput, match="is not after from"):
        shown(site, end=NOW)
    for begin, end in ((FIRST_MS - 1, FIRST_MS + 1), (LAST_MS, LAST_MS + 1)):
        with pytest.raises(InvalidInput, match="years 1970 to 9999"):
            shown(site, begin=begin, end=end)
    for begin, end in ((FIRST_MS, FIRST_MS + 1), (LAST_MS - MINUTE, LAST_MS)):
        assert shown(site, begin=begin, end=end)["buckets"] == []
    with pytest.raises(InvalidInput, match="at most 400 days"):
        shown(site, begin=NOW - 401 * 1_440 * MINUTE)
