"""The labeled rows that a run learns from: what is left out or guessed, and the notes about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.dataset.query import query_of
from tests.rows import from_readings
from trainer.dataset import Choice, Dataset, assemble, check, fewest_rows
from trainer.draw import draw
from trainer.source import from_files
from zelador.errors import InvalidInput
from zelador.messages.classes import looks_like_regression
from zelador.ranges import Ranges
from zelador.settings import DatasetSettings, Settings
from zelador.table import Wanted

Table = Callable[[str], Path]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(text: str) -> Path:
        path = tmp_path / "readings.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def read(path: Path, features: tuple[str, ...] = ("a", "b"), **choice: Any) -> Dataset:
    wanted = Wanted(features, "label", context=True)
    return load(path, features, wanted, Choice(**choice))


def load(path: Path, features: tuple[str, ...], wanted: Wanted, choice: Choice) -> Dataset:
    settings = Settings(features=features, datasets=DatasetSettings(cache=path.parent / "datasets"))
    asked = {"cap": choice.max_rows, "fewest": choice.fewest, "labels": choice.classes, "devices": choice.devices}
    return from_files(path, settings, wanted, query_of(asked, settings))


def rows_of(counts: dict[str, int], choice: Choice | None = None) -> Dataset:
    labels = [label for label, count in counts.items() for _ in range(count)]
    readings = [((float(i),), label, i, f"m{i % 2}") for i, label in enumerate(labels)]
    return from_readings(readings, ("a",), choice or Choice())


def test_rows_without_a_label_are_left_out_and_counted(table: Table) -> None:
    found = read(table("a,b,label\n1,2,x\n3,4,\n5,6,nan\n\n7,8,y\n\n"))
    assert found.labels == ("x", "y")
    assert found.notes == ("2 rows without a label were left out",)


def test_values_that_are_empty_or_not_finite_are_missing_and_counted(table: Table) -> None:
    found = read(table("a,b,label\n,2,x\n3,1e999,y\nnan,1,y\n"))
    assert np.isnan(found.rows).tolist() == [[True, False], [False, True], [True, False]]
    assert found.facts()["missing_values"] == 3
    assert "3 values are missing" in found.notes[-1]


def test_values_that_a_live_reading_may_not_have_are_not_trained_on(table: Table) -> None:
    """A disconnected DS18B20 reports -127 °C. Such a live reading is quarantined."""
    text = "temperature,label\n" + "20,x\n" * 5 + "-127,x\n" * 3 + "30,y\n"
    found = read(table(text), ("temperature",))
    assert len(found.labels) == 6
    assert "3 rows were left out, as live readings would be refused: temperature is -127 °C" in found.notes[0]


def test_a_class_that_looks_like_a_missing_value_and_classes_alike_are_named(table: Table) -> None:
    text = "a,b,label\n" + "".join(f"1,2,{label}\n" for label in ("NA", "No", "no", "NO", "yes", "y es", "x"))
    notes = read(table(text)).notes
    assert "NA is taken as a class (1 row)" in notes[0]
    assert "classes that differ by case or spaces alone: 'NO', 'No', 'no'" in notes
    assert "classes that differ by case or spaces alone: 'y es', 'yes'" in notes


def test_one_stray_label_does_not_stop_training() -> None:
    found = rows_of({"no": 146, "yes": 94, "Yes": 1}, Choice(fewest=9))
    assert Counter(found.labels) == {"no": 146, "yes": 94}
    assert "classes with fewer than 9 rows were left out: 'Yes' (1 row)" in found.notes
    check(found, folds=5, holdout=0.3)


def test_classes_and_devices_can_be_chosen() -> None:
    found = rows_of({"a": 10, "b": 10, "c": 10}, Choice(classes=("a", "b"), devices=("m1",)))
    assert Counter(found.labels) == {"a": 5, "b": 5}
    assert set(found.devices or ()) == {"m1"}
    assert any("only the class 'a', 'b' (--classes); 1 other was left out" in note for note in found.notes)
    assert any("only the device 'm1' (--devices)" in note for note in found.notes)
    with pytest.raises(InvalidInput, match="--classes: the buffer has no class 'z'; it has 'a', 'b'"):
        rows_of({"a": 10, "b": 10}, Choice(classes=("a", "z")))
    with pytest.raises(InvalidInput, match="--devices: the buffer has no device 'm7'; it has 'm0', 'm1'"):
        rows_of({"a": 10, "b": 10}, Choice(devices=("m7",)))


def test_a_table_without_devices_cannot_choose_them(table: Table) -> None:
    with pytest.raises(InvalidInput, match="does not say of which device its rows are"):
        read(table("a,b,label\n1,2,x\n"), devices=("m1",))


def test_features_that_no_live_reading_has_are_named(table: Table) -> None:
    path = table("Torque [Nm],label\n1,x\n")
    found = load(path, Settings().features, Wanted(("Torque [Nm]",), "label"), Choice())
    assert "not among ZELADOR_FEATURES (lux, temperature, vibration)" in found.notes[0]


def test_rows_are_drawn_by_class_with_a_note() -> None:
    found = rows_of({"common": 990, "rare": 10}, Choice(max_rows=100, fewest=9))
    again = rows_of({"common": 990, "rare": 10}, Choice(max_rows=100, fewest=9))
    assert Counter(found.labels) == {"common": 91, "rare": 9}
    assert "100 of 1000 rows, drawn at random from each class (ZELADOR_TRAINING__MAX_ROWS)" in found.notes
    assert found.facts()["sha256"] == again.facts()["sha256"]


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 40), min_size=1, max_size=8), st.data())
def test_no_class_vanishes_in_a_draw(counts: dict[str, int], data: st.DataObject) -> None:
    labels = [label for label, count in counts.items() for _ in range(count)]
    count = data.draw(st.integers(len(counts), len(labels)))
    fewest = data.draw(st.integers(1, 12))
    places = draw(labels, count, fewest, seed=7)
    drawn = Counter(labels[place] for place in places)
    assert len(set(places.tolist())) == len(places) == count
    assert set(drawn) == set(counts)
    if count >= fewest * len(counts):
        assert all(drawn[label] >= min(fewest, counts[label]) for label in counts)


def test_readings_know_when_they_were_measured_and_by_whom() -> None:
    readings = [((1.0,), "x", 1_000, "m1"), ((2.0,), " ", 9_000, "m1"), ((3.0,), "y", 3_000, "m2")]
    found = from_readings(readings, ("a",), Choice())
    assert (found.first, found.last) == ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:03.000Z")
    assert (found.labels, found.devices) == (("x", "y"), ("m1", "m2"))
    assert found.times is not None and found.times.tolist() == [1_000, 3_000]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({}, "has no labeled readings; publish readings with a label"),
        ({"x": 100}, "has only the class 'x'"),
        ({"x": 100, "y": 3}, "3 rows of the class 'y'; 5 folds .* at least 9 of each"),
        ({f"{i}.25": 2 for i in range(60)}, "60 different numbers, so this looks like a regression"),
        ({str(i): 3 for i in range(60)}, "looks like a regression"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(counts: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check(rows_of(counts, Choice(fewest=9)), folds=5, holdout=0.3)


@pytest.mark.parametrize("counts", [{str(i): 500 for i in range(20)}, {f"machine {i}": 2 for i in range(60)}])
def test_classes_with_numbers_or_many_names_are_not_taken_for_regression(counts: dict[str, int]) -> None:
    assert not looks_like_regression(counts)


def test_a_feature_without_a_single_value_is_refused() -> None:
    data = assemble([[1.0, float("nan")]] * 40, ["x", "y"] * 20, ("a", "b"), "a test", 100, seed=7)
    with pytest.raises(InvalidInput, match="no value of 'b'"):
        check(data, folds=5, holdout=0.3)


def test_ranges_hold_for_readings_of_the_buffer_too() -> None:
    ranges = Ranges.of(Settings(), ("temperature",))
    readings = [((value,), "x", 1, "m1") for value in (20.0, -127.0)]
    assert from_readings(readings, ("temperature",), Choice(), ranges).rows.tolist() == [[20.0]]


@given(folds=st.integers(2, 20), holdout=st.floats(0.01, 0.89))
def test_the_fewest_rows_reach_every_fold_and_the_hold_out(folds: int, holdout: float) -> None:
    held = (need := fewest_rows(folds, holdout)) * holdout
    assert held >= 1
    assert need - held >= folds


TABLE = """machine,date,a,label
m1,2026-01-02,1,x
m1,2026-01-01,2,y
m2,2026-01-03,3,x
m2,2026-01-03,3,x
m2,soon,4,
"""


def test_guessed_columns_for_device_and_time_are_noted(table: Table) -> None:
    found = read(table(TABLE), ("a",))
    assert found.devices == ("m1", "m1", "m2")
    assert found.times is not None and ((found.times - found.times.min()) // 86_400_000).tolist() == [0, 1, 2]
    assert "1 row with the device, time and values of another was left out" in found.notes
    assert (found.first, found.last) == ("2026-01-01T00:00:00.000Z", "2026-01-03T00:00:00.000Z")
    assert found.notes[:2] == ("the device is the column 'machine'", "the time is the column 'date'")


def context(path: Path, device: str | None = None, time: str | None = None) -> Dataset:
    return load(path, ("a",), Wanted(("a",), "label", device=device, time=time, context=True), Choice())


def test_none_uses_no_column_and_row_uses_the_order(table: Table) -> None:
    bare = context(table(TABLE), "none", "none")
    assert (bare.devices, bare.times, bare.first) == (None, None, None)
    ordered = context(table(TABLE), "none", "row")
    assert ordered.times is not None and ordered.times.tolist() == [0, 1, 2, 3]
    assert ordered.first is None
    assert "the order of the rows stands for the time" in ordered.notes


def test_an_invalid_guessed_time_is_ignored_and_a_requested_one_is_refused(table: Table) -> None:
    path = table("date,a,label\nmonday,1,x\ntuesday,2,y\n")
    assert context(path).times is None
    assert "the column 'date' is not taken for the time: 'monday'" in context(path).notes[0]
    with pytest.raises(InvalidInput, match=r"column 'date': 'monday' is not a time .* --time, or none"):
        context(path, time="date")


def test_a_column_with_a_device_for_each_row_is_not_used(table: Table) -> None:
    path = table("device,a,label\n" + "".join(f"r{i},{i},x\n" for i in range(9)))
    assert context(path).devices is None
    assert "names no devices" in context(path).notes[0]
    assert context(path, device="device").devices is not None
