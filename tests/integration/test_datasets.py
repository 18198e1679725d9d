"""Data sets from the archive and the buffer of a real Redis, with labels that came later."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archive import dataset
from archive.archive import Archive
from archive.dataset import load as loading
from archive.dataset import thin
from archive.dataset.cache import Cache
from archive.dataset.export import export
from archive.dataset.load import Loaded, load
from archive.dataset.query import query_of
from archive.dataset.touched import ArchivedCounts
from operations.views.labels import ReadingTimes
from tests.archives import archive_buffer, merge_all
from tests.integration.test_repeats import NOW, Site, sample
from trainer.source import from_files, from_stream, query_for, repeated
from zelador.errors import InvalidInput
from zelador.labels import Label, LabelStore
from zelador.messages import iso
from zelador.settings import Settings
from zelador.table import Wanted

FEATURES = ("lux", "temperature", "vibration")


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Site:
    datasets = settings.datasets.model_copy(update={"cache": tmp_path / "datasets"})
    archive = settings.archive.model_copy(update={"url": str(tmp_path / "archive")})
    return Site(settings.model_copy(update={"datasets": datasets, "archive": archive}))


@pytest.fixture
def labels(site: Site) -> LabelStore:
    return LabelStore(site.client, site.settings.redis.prefix)


def label(id_: str, begin: int, end: int | None, text: str, device: str = "press-1") -> Label:
    return Label(id_, device, NOW + begin, None if end is None else NOW + end, text, "", "somebody", NOW, "api")


def fill(site: Site, count: int = 60, own: str | None = None) -> None:
    """Appends one reading a second from each of three devices."""
    chance = random.Random(7)
    for i in range(count):
        for device in ("press-1", "press-2", "pump"):
            values = {"temperature": round(20 + chance.random(), 3), "vibration": round(chance.random(), 3)}
            site.send(sample(i, ts=NOW + 1_000 * i, id=f"{device}-{i}", label=own, **values), device=device)


def loaded(site: Site, archive: Archive | None = None, **asked: object) -> Loaded:
    return load(site.client, site.settings, query_of(asked, site.settings), archive, cached=False)


def archived(site: Site, last: str = "+", files: int = 1) -> Archive:
    folder = Path(site.settings.archive.url)
    return archive_buffer(folder, site.client, site.settings.redis.prefix, FEATURES, last, files)


def test_work_orders_change_the_data_set_and_undoing_them_brings_it_back(site: Site, labels: LabelStore) -> None:
    fill(site)
    assert loaded(site).meta.classes == {}
    labels.add([label("no", 0, None, "no"), label("a", 10_000, 20_000, "yes")])
    first = loaded(site)
    assert first.meta.classes == {"no": 50, "yes": 10}
    labels.add([label("b", 15_000, 40_000, "worn"), label("other", 0, 30_000, "yes", "press-2")])
    second = loaded(site)
    assert second.meta.classes == {"no": 30, "yes": 5 + 30, "worn": 25}
    labels.undo("b", "somebody", NOW)
    labels.undo("other", "somebody", NOW)
    again = loaded(site)
    assert (again.meta.classes, again.meta.digest) == (first.meta.classes, first.meta.digest)
    assert again.rows.equals(first.rows)
    fill(site, 10)
    repeated = loaded(site, **second.meta.query)  # labels and readings as they were then
    assert (repeated.meta.digest, repeated.meta.query) == (second.meta.digest, second.meta.query)
    with pytest.raises(InvalidInput, match="in the future"):
        loaded(site, labels_at="2999-01-01T00:00:00Z")


def test_a_data_set_is_the_same_wherever_its_readings_are_stored(site: Site, labels: LabelStore) -> None:
    """Readings in the buffer, in the archive, partly in both, in few files or in many give the same bytes."""
    fill(site, own="no")
    labels.add([label("a", 10_000, 20_000, "yes"), label("b", 5_000, 50_000, "yes", "pump")])
    buffer = loaded(site)
    middle = site.client.xrange(site.keys.readings)[100][0].decode()
    archive = archived(site, middle, files=3)
    both = loaded(site, archive)
    assert (both.meta.source, both.meta.rows) == ("the archive with the buffer", 180)
    archived(site)
    archive.snapshot()
    whole = loaded(site, archive)
    site.client.delete(site.keys.readings)
    gone = loaded(site, archive)
    merge_all(archive)
    merged = loaded(site, archive, source="archive")
    digests = {each.meta.digest for each in (buffer, both, whole, gone, merged)}
    assert digests == {buffer.meta.digest}
    assert merged.rows.equals(buffer.rows)
    assert buffer.meta.classes == {"no": 125, "yes": 55}


def test_many_readings_are_counted_in_full_and_sampled_for_oddities(
    site: Site, labels: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month of readings does not fit into memory: the counts are the same, and oddities are still found."""
    fill(site, 100, own="no")
    site.send(*(sample(i, ts=NOW + 400_000 + 1_000 * i, id=f"late-{i}") for i in range(20)), device="press-1")
    site.send(sample(1, ts=NOW + 1_000, id="back"), device="press-1")
    for i in range(2):
        site.send(sample(0, ts=NOW + 2_000, id=f"twice-{i}", lux=65_535), device="pump")
    labels.add([label("a", 10_000, 60_000, "yes")])
    archive = archived(site, files=2)
    query = query_of({"cap": 100}, site.settings)
    whole = load(site.client, site.settings, query, archive, described=True, cached=False).description
    for module in (loading, thin):
        monkeypatch.setattr(module, "MAX_ROWS", 100)
    part = load(site.client, site.settings, query, archive, described=True, cached=False).description
    assert whole is not None and part is not None
    assert part.looked_at < 200 < whole.looked_at == 323
    for name in ("rows", "devices", "begin", "end", "classes", "unlabeled", "by_device", "by_day", "duplicates"):
        assert getattr(part, name) == getattr(whole, name), name
    for one, other in zip(part.features, whole.features, strict=True):
        assert (one.lowest, one.highest, one.missing) == (other.lowest, other.highest, other.missing)
        assert one.mean == pytest.approx(other.mean)
    assert (part.interval_s, part.gap_count) == (whole.interval_s, whole.gap_count) == (1.0, 1)
    assert part.gaps == whole.gaps
    for kind in ("clock", "duplicates"):
        assert [f.sentence for f in part.findings if f.kind == kind] == [
            f.sentence for f in whole.findings if f.kind == kind
        ] != []  # fmt: skip
    assert "sentinel" in {each.kind for each in part.findings} & {each.kind for each in whole.findings}


def test_many_readings_without_a_label_are_described(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """People describe such readings first, before they import any work order."""
    fill(site, 10)
    for module in (loading, thin):
        monkeypatch.setattr(module, "MAX_ROWS", 12)
    found = load(site.client, site.settings, query_of({}, site.settings), archived(site), described=True, cached=False)
    assert found.description is not None
    assert (found.meta.rows, found.description.rows, found.description.unlabeled) == (0, 30, 30)
    assert next(each.kind for each in found.description.findings) == "no labels"


def test_a_loaded_data_set_is_cached_until_something_arrives(site: Site, labels: LabelStore) -> None:
    fill(site, 10, own="no")
    query = query_of({}, site.settings)

    def ask(described: bool = False) -> Loaded:
        return load(site.client, site.settings, query, None, described=described)

    first, second = ask(), ask()
    assert (first.age_s, second.meta, second.rows.equals(first.rows)) == (None, first.meta, True)
    assert second.age_s is not None
    described = ask(described=True)  # the rows were cached, but not their description
    assert described.age_s is None and described.description is not None
    assert ask(described=True).description == described.description
    labels.add([label("a", 0, None, "yes")])
    labeled = ask()
    assert (labeled.age_s, labeled.meta.classes) == (None, {"no": 20, "yes": 10})
    fill(site, 12, own="no")
    assert ask().age_s is None
    cache = Cache(site.settings.datasets)
    assert [each.meta.id for each in cache.list()][1:] == [labeled.meta.id, first.meta.id]
    small = site.settings.datasets.model_copy(update={"cache_bytes": cache.list()[0].bytes + 10})
    Cache(small).tidy()
    assert len(cache.list()) == 1
    Cache(site.settings.datasets.model_copy(update={"cache_s": 1e-6})).tidy()
    assert cache.list() == []


def test_an_export_has_all_readings_and_is_the_same_each_time(site: Site, labels: LabelStore, tmp_path: Path) -> None:
    fill(site, 30)
    labels.add([label("a", 10_000, 20_000, "yes")])
    archive = archived(site, site.client.xrange(site.keys.readings)[30][0].decode())
    query = query_of({"devices": ["press-*"]}, site.settings)
    done = [export(site.client, site.settings, query, each, tmp_path / f"{at}.parquet", "parquet")
            for at, each in enumerate((archive, None))]  # fmt: skip
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    assert (done[0].rows, done[0].digest) == (60, done[1].digest)
    table = pq.read_table(tmp_path / "0.parquet")
    assert table.column_names == ["id", "device_id", "measured_at", "received_at", "label", *FEATURES]
    assert table["label"].to_pylist().count("yes") == 10
    export(site.client, site.settings, query, archive, tmp_path / "all.csv", "csv")
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert len(lines) == 61 and lines[1].startswith('"press-1-0","press-1","2026-11-24T10:00:00.000Z",')
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_damaged_file_is_reported_and_the_rest_is_read(site: Site) -> None:
    fill(site, 30, own="no")
    archive = archived(site, files=3)
    site.client.delete(site.keys.readings)
    path = archive.path(archive.snapshot().readings[1])
    assert path is not None
    path.write_bytes(path.read_bytes()[:-10])
    found = loaded(site, archive)
    assert found.meta.rows == 60
    assert any("30 readings are missing" in note and path.name in note for note in found.meta.notes)


def test_missing_devices_features_and_labels_are_named(site: Site) -> None:
    fill(site, 5, own="no")
    assert loaded(site, devices=["press-?"]).meta.rows == 10
    assert loaded(site, devices=["pump"], features=["lux", "humidity"]).rows["f1"].null_count == 5
    period = {"from": "2026-11-24T10:00:01Z", "to": "2026-11-24T10:00:03Z"}
    assert loaded(site, **period).meta.rows == 6  # the end is not part of it
    for asked, says in (
        ({"devices": ["drill-*"]}, "no device 'drill-\\*', but 'press-1', 'press-2', 'pump'"),
        ({"labels": ["yes"]}, "no class 'yes'; it has 'no'"),
        ({"from": "2026-11-24T10:00:00Z", "to": "2026-11-24T09:00:00Z"}, "not after from"),
        ({"source": "archive"}, "there is no archive"),
        ({"cap": 0}, "cap must be"),
        ({"colour": 1}, "'colour' is not a key"),
        ({"features": ["lux", "lux"]}, "named twice"),
        ({"arrived_to": "x"}, "arrived_to must be"),
    ):
        with pytest.raises(InvalidInput, match=says):
            loaded(site, **asked)


def test_a_label_touches_archived_readings_too_each_once(site: Site, labels: LabelStore) -> None:
    fill(site, 60)
    archived(site)
    site.client.xtrim(site.keys.readings, minid=site.client.xrange(site.keys.readings)[90][0])
    given = [label("a", 10_000, 40_000, "yes"), label("b", 0, None, "no"), label("c", 0, 5_000, "no", "nobody")]
    times = ReadingTimes(site.client, site.settings.redis.prefix, ArchivedCounts(site.settings))
    assert times.touched(given) == {"a": 30, "b": 60, "c": 0}
    site.client.delete(site.keys.readings)
    again = ReadingTimes(site.client, site.settings.redis.prefix, ArchivedCounts(site.settings))
    assert again.touched(given) == {"a": 30, "b": 60, "c": 0}


def test_readings_as_a_data_frame(site: Site, labels: LabelStore) -> None:
    fill(site, 5)
    labels.add([label("a", 1_000, 3_000, "yes")])
    archived(site, site.client.xrange(site.keys.readings)[6][0].decode())
    found = dataset.frame(site.settings, devices=["press-*"], features=["lux"], begin=iso(NOW + 1_000))
    assert list(found.columns) == ["id", "device_id", "measured_at", "received_at", "label", "lux"]
    assert (len(found), found["label"].notna().sum(), found["lux"].tolist()[:2]) == (8, 2, [401.0, 401.0])


def test_a_run_keeps_its_query_and_gets_the_same_rows_again(site: Site, labels: LabelStore) -> None:
    fill(site, 60)
    labels.add([label("a", 0, 30_000, "yes"), label("b", 30_000, None, "no"), label("c", 0, 3_000, "rare", "pump")])
    query = query_for(site.settings, {"dataset": {"devices": ["p*"]}, "classes": ["yes", "no"]})
    first = from_stream(site.client, site.settings, query)
    assert (first.facts()["classes"], first.devices and set(first.devices)) == ({"no": 30, "yes": 30}, {"press-1"})
    labels.undo("a", "somebody", NOW)
    fill(site, 70)
    again = from_stream(site.client, site.settings, repeated(first.facts(), site.settings))
    assert again.facts() == first.facts()
    assert again.facts()["labels_at"] == again.facts()["query"]["labels_at"]
    everything = from_stream(site.client, site.settings, query_for(site.settings, {}))
    assert (everything.source, everything.facts()["classes"]) == ("the archive with the buffer", {"no": 40, "rare": 3})
    with pytest.raises(InvalidInput, match="named both in the data set and beside it"):
        query_for(site.settings, {"dataset": {"devices": ["p*"]}, "devices": ["press-1"]})
    with pytest.raises(InvalidInput, match="did not record its query"):
        repeated({}, site.settings)


def test_any_name_of_a_device_is_read_from_the_archive(site: Site, labels: LabelStore) -> None:
    """Strangers choose the names: quotes, patterns, dots, other scripts. A feature that no file has is missing."""
    names = ["пресс-7", "x" * 128, "...", "a%2Fb", "o'brien\"; drop table readings --", "press[1-4]", "a b", "\\n"]
    for at, name in enumerate(names):
        site.send(*(sample(i, ts=NOW + 1_000 * i, id=f"{at}-{i}") for i in range(4)), device=name)
        labels.add([label(f"l{at}", 1_000, 3_000, f"it's {at}", name)])
    archive = archived(site, files=2)
    site.client.delete(site.keys.readings)
    for at, name in enumerate(names):
        found = loaded(site, archive, devices=[name], features=["lux", "humidity"])
        assert (found.meta.rows, found.meta.classes) == (2, {f"it's {at}": 2}), name
        assert set(found.rows["device"].to_pylist()) == {name} and found.rows["f1"].null_count == 2
    query = query_of({"labels": [f"it's {at}" for at in range(len(names))]}, site.settings)
    whole = load(site.client, site.settings, query, archive, described=True, cached=False)
    assert whole.description is not None and set(whole.description.by_device) == set(names)
    target = Path(site.settings.datasets.cache).parent / "all.csv"
    assert export(site.client, site.settings, query, archive, target, "csv").rows == 2 * len(names)


def test_a_folder_of_tables_is_a_data_set(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_text("ts;machine;lux;label\n" + "".join(f"2026-11-0{d};m1;{d};yes\n" for d in range(1, 6)))
    pq.write_table(
        pa.table({"ts": ["2026-11-07"] * 2, "machine": ["m2"] * 2, "lux": [1.0, 1.0], "label": ["no"] * 2}),
        folder / "more" / "b.parquet",
    )
    (folder / ".hidden.csv").write_text("x")
    (folder / "notes.md").write_text("no table")
    wanted = Wanted(("lux",), "label", context=True)
    whole = from_files(folder, site.settings, wanted, query_of({}, site.settings))
    assert (whole.source, whole.facts()["classes"]) == ("tables (2 files)", {"no": 1, "yes": 5})  # one is a duplicate
    part = query_of({"devices": ["m1"], "from": "2026-11-03"}, site.settings)
    assert from_files(folder, site.settings, wanted, part).rows.tolist() == [[3.0], [4.0], [5.0]]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="has no table"):
        from_files(tmp_path / "empty", site.settings, wanted, part)
