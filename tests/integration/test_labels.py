"""Labels of periods in a real Redis: joined when readings are read, bounded, and never deleted."""

from __future__ import annotations

from collections import Counter

import pytest
import redis

from operations.views.stream import Recent
from tests.buffers import labeled_rows
from tests.command import zelador
from tests.integration.test_repeats import NOW, Site, sample
from zelador.buffer import budget
from zelador.buffer.keys import Keys
from zelador.labels import Label, Labels, LabelStore, Source, store
from zelador.settings import Settings


@pytest.fixture
def site(settings: Settings) -> Site:
    return Site(settings)


@pytest.fixture
def labels(site: Site) -> LabelStore:
    return LabelStore(site.client, site.settings.redis.prefix)


def label(id_: str, begin: int, end: int | None, text: str, device: str = "press", source: Source = "api") -> Label:
    return Label(id_, device, NOW + begin, None if end is None else NOW + end, text, "", "somebody", NOW, source)


def classes(site: Site) -> Counter[str]:
    return Counter(found for _, found, _, _ in labeled_rows(site.client, site.settings))


def test_a_period_labels_present_and_future_readings_and_can_be_undone(site: Site, labels: LabelStore) -> None:
    """A work order comes days later; readings of another device, and at the end of the period, do not change."""
    recent = Recent(site.client, site.settings.redis.prefix)
    site.send(*(sample(i, ts=NOW + 1_000 * i, label="own" if i % 2 else None) for i in range(6)))
    site.send(sample(9, ts=NOW + 2_000), device="pump")
    assert classes(site) == {"own": 3}
    assert labels.add([label("a", 1_000, 4_000, "yes")]) == ["added"]
    assert classes(site) == {"yes": 3, "own": 1}
    site.send(sample(1, ts=NOW + 3_500), sample(2, ts=NOW + 4_500))
    assert classes(site) == {"yes": 4, "own": 1}
    assert labels.add([label("b", 3_000, None, "no")]) == ["added"]  # later labels win
    assert classes(site) == {"yes": 2, "no": 5}
    shown, _ = recent.readings(20, None, None)
    assert Counter(each["label"] for each in shown) == {"no": 5, "yes": 2, None: 2}
    assert labels.undo("b", "somebody", NOW) == "undone"
    assert classes(site) == {"yes": 4, "own": 1}
    shown, _ = recent.readings(20, None, None)  # one that has followed the list before
    assert Counter(each["label"] for each in shown) == {"yes": 4, "own": 1, None: 4}
    assert (labels.undo("b", "other", NOW), labels.undo("c", "other", NOW)) == ("already", "absent")
    found = Labels(site.client, site.settings.redis.prefix).snapshot()
    assert [each.id for each in found.labels] == ["a", "b"]
    assert (list(found.undone), found.undone["b"].by) == (["b"], "somebody")


def test_an_id_names_one_label_forever(site: Site, labels: LabelStore) -> None:
    one = label("a", 0, 10, "yes")
    assert labels.add([one, one]) == ["added", "known"]
    assert labels.add([label("a", 0, 11, "yes"), label("b", 0, 10, "no")], whole=True) == ["other", "added"]
    assert len(Labels(site.client, site.settings.redis.prefix).snapshot().labels) == 1  # nothing was added
    labels.undo("a", "somebody", NOW)
    assert labels.add([one]) == ["undone"]  # a repeated message does not bring it back


def test_the_list_is_bounded_and_one_device_cannot_fill_it(
    site: Site, labels: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_BYTES", 30_000)
    monkeypatch.setattr(store, "MAX_DEVICES_BYTES", 15_000)
    monkeypatch.setattr(store, "MAX_DEVICE_BYTES", 3_000)
    flood = [label(f"f{i}", i, None, "x", "flood", "mqtt") for i in range(100)]
    assert labels.add(flood).count("added") == 5
    many = [label(f"m{i}", i, None, "x", f"device-{i}", "mqtt") for i in range(100)]
    accepted = labels.add(many).count("added")
    assert 15 < accepted < 30
    assert labels.add([label("p", 0, None, "yes")]) == ["added"]  # there is room for a person's label
    people = labels.add([label(f"q{i}", i, None, "x") for i in range(100)])
    assert people.count("added") > 20 and people[-1] == "full"
    assert labels.undo("p", "somebody", NOW) == "undone"  # even in a full list
    monkeypatch.setattr(store, "MAX_LABELS", 3)
    assert labels.add([label("z", 0, None, "x")]) == ["full"]


def test_a_full_list_fits_into_its_budget(site: Site, labels: LabelStore) -> None:
    prefix = site.settings.redis.prefix
    long = "é" * 60
    for start in range(0, 8_000, 2_000):
        part = range(start, start + 2_000)
        labels.add([Label(f"{i:0128d}", "d" * 40, NOW + i, NOW + i + 1, long, "", "by", NOW) for i in part])
    for i in range(0, 8_000, 20):
        labels.undo(f"{i:0128d}", "somebody with a long name", NOW)
    keys = Keys(prefix)
    size = sum(site.client.memory_usage(key, samples=0) or 0 for key in (keys.labels, keys.labels_index))
    counted = int(site.client.hget(keys.labels_index, "bytes") or 0)
    assert size / counted < budget.PERIOD_LABELS / store.MAX_BYTES


def test_another_redis_or_an_earlier_state_is_noticed(site: Site, labels: LabelStore) -> None:
    followed = Labels(site.client, site.settings.redis.prefix)
    labels.add([label("a", 0, None, "yes"), label("b", 0, None, "no")])
    assert len(followed.snapshot().labels) == 2
    key = Keys(site.settings.redis.prefix).labels
    (newest, _) = site.client.xrevrange(key, count=1)[0]
    site.client.xdel(key, newest)
    assert [each.id for each in followed.snapshot().labels] == ["a"]
    site.client.delete(key)
    assert list(followed.snapshot().labels) == []


def test_an_unreadable_entry_is_reported_and_hides_no_other(
    site: Site, labels: LabelStore, caplog: pytest.LogCaptureFixture
) -> None:
    labels.add([label("a", 0, None, "yes")])
    site.client.xadd(Keys(site.settings.redis.prefix).labels, {"label": b"{"})
    labels.add([label("b", 0, None, "no")])
    followed = Labels(site.client, site.settings.redis.prefix)
    assert [each.id for each in followed.snapshot().labels] == ["a", "b"]
    assert "cannot be read" in caplog.text


def test_without_functions_the_scripts_do_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = LabelStore(site.client, site.settings.redis.prefix)
    library = kept._library
    monkeypatch.setattr(library, "_execute", _no_functions)
    assert kept.add([label("a", 0, None, "yes")]) == ["added"]
    assert not library.functions
    assert kept.undo("a", "somebody", NOW) == "undone"


def _no_functions(*_: object) -> object:
    raise redis.ResponseError("unknown command 'FCALL'")


def test_the_buffer_is_described_with_labels_of_periods(
    site: Site, labels: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.send(*(sample(i, ts=NOW + 1_000 * i) for i in range(30)))
    labels.add([label("a", 0, 10_000, "yes"), label("b", 10_000, 20_000, "no")])
    monkeypatch.setenv("ZELADOR_REDIS__URL", site.settings.redis.url)
    monkeypatch.setenv("ZELADOR_REDIS__PREFIX", site.settings.redis.prefix)
    found = zelador("data", "describe", "--json").json
    assert (found["rows"], found["devices"], found["classes"], found["unlabeled"]) == (
        30, 1, {"yes": 10, "no": 10}, 10
    )  # fmt: skip
    assert {each["kind"] for each in found["findings"]} >= {"constant", "leak", "small class"}
    assert all(set(each) >= {"kind", "sentence", "advice"} for each in found["findings"])
    assert "30 readings of 1 device," in zelador("data", "describe").out
