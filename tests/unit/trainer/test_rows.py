from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.dataset import Dataset, assemble, check, from_csv, from_readings, label_text
from zelador.errors import InvalidInput

Table = Callable[[str], Path]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(text: str) -> Path:
        path = tmp_path / "readings.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def read(path: Path, features: tuple[str, ...] = ("a", "b"), max_rows: int = 1_000) -> Dataset:
    return from_csv(path, features, "label", max_rows, seed=7)


def rows_of(counts: dict[str, int]) -> Dataset:
    labels = [label for label, count in counts.items() for _ in range(count)]
    return assemble([[float(i)] for i in range(len(labels))], labels, ("a",), "a test", 10_000, seed=7)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("-2.", "-2"),
        ("True", "true"),
        ("FALSE", "false"),
        (" yes ", "yes"),
        ("1.5", "1.5"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("12345678901234567890", "12345678901234567890"),
        ("", ""),
        (" ", ""),
        ("NaN", ""),
    ],
)
def test_a_label_of_a_table_becomes_text(written: str, text: str) -> None:
    assert label_text(written) == text


@given(st.text(max_size=20))
def test_a_label_that_is_text_already_stays_as_it_is(written: str) -> None:
    assert label_text(label_text(written)) == label_text(written)


@given(st.integers())
def test_whole_numbers_keep_every_digit(number: int) -> None:
    assert label_text(f"{number}.0") == label_text(str(number)) == str(number)


def test_a_header_without_the_row_number_is_understood(table: Table) -> None:
    found = read(table("a,b,label\n1,10,20,0\n2,11,21,1\n"))
    assert found.rows.tolist() == [[10, 20], [11, 21]]
    assert found.labels == ("0", "1")


def test_rows_without_a_label_are_left_out_and_counted(table: Table) -> None:
    found = read(table("a,b,label\n1,2,x\n3,4,\n5,6,nan\n\n7,8,y\n\n"))
    assert found.labels == ("x", "y")
    assert found.notes == ("2 rows without a label were left out",)


def test_values_that_are_empty_or_not_finite_are_missing_and_counted(table: Table) -> None:
    found = read(table("a,b,label\n,2,x\n3,inf,y\nnan,1,y\n"))
    assert np.isnan(found.rows).tolist() == [[True, False], [False, True], [True, False]]
    assert found.facts()["missing_values"] == 3
    assert "3 values are missing" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,label\n1,x\n", "has no column 'b'; it has a, label"),
        ("a,b,label\n", "has no rows"),
        ("", "has no rows"),
        ("a,b,label\n1,warm,x\n", "line 2: 'warm' is not a number"),
        ("a,b,label\n1,2,x\n1,x\n", "line 3: 2 values, the header has 3"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(table: Table, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        read(table(text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read(tmp_path / "nothing.csv")


@pytest.mark.parametrize("features", [("a", "label"), ("a", "a")])
def test_the_label_is_no_feature_and_a_feature_is_named_once(table: Table, features: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="named twice"):
        read(table("a,b,label\n1,2,x\n"), features)


def test_no_more_rows_than_the_cap_and_it_is_said(table: Table) -> None:
    text = "a,b,label\n" + "".join(f"{i},{i},x\n" for i in range(50))
    found, again = read(table(text), max_rows=20), read(table(text), max_rows=20)
    assert len(found.labels) == 20
    assert found.notes == ("20 of 50 rows, drawn at random (ZELADOR_TRAINING__MAX_ROWS)",)
    assert found.facts()["sha256"] == again.facts()["sha256"]


def test_readings_know_when_they_were_measured() -> None:
    readings = [((1.0,), "x", 1_000, "m1"), ((2.0,), " ", 9_000, "m1"), ((3.0,), "y", 3_000, "m2")]
    found = from_readings(readings, ("a",), 100, seed=7)
    assert (found.first, found.last) == ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:03.000Z")
    assert found.labels == ("x", "y")
    assert found.devices == ("m1", "m2")
    assert found.times is not None and found.times.tolist() == [1_000, 3_000]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({}, "has no labelled readings; publish readings with a label"),
        ({"x": 100}, "has only the class 'x'"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(counts: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check(rows_of(counts))


def test_a_feature_without_a_single_value_is_refused() -> None:
    data = assemble([[1.0, float("nan")]] * 40, ["x", "y"] * 20, ("a", "b"), "a test", 100, seed=7)
    with pytest.raises(InvalidInput, match="no value of 'b'"):
        check(data)
