"""Labelled rows from a file: what is understood, and what is said of what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.dataset import check, from_csv, from_readings, label_text
from zelador.errors import InvalidInput


def write(path: Path, text: str) -> Path:
    file = path / "readings.csv"
    file.write_text(text, encoding="utf-8")
    return file


def load(path: Path, text: str, label: str = "label", features=("lux", "temperature"), max_rows: int = 100_000):
    return from_csv(write(path, text), features, label, max_rows, seed=7)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("0.5", "0.5"),
        ("True", "true"),
        ("false", "false"),
        (" yes ", "yes"),
        ("nan", ""),
        ("", ""),
        ("1e3", "1e3"),
    ],
)
def test_labels_are_text(given: str, text: str) -> None:
    assert label_text(given) == text


def test_rows_are_read_and_what_is_missing_is_said(tmp_path: Path) -> None:
    dataset = load(tmp_path, "lux,temperature,label\n1,2,yes\n3,,no\n5,6,\n")
    assert dataset.labels == ("yes", "no")
    assert np.isnan(dataset.rows[1, 1])
    assert dataset.classes == ("no", "yes")
    facts = dataset.facts()
    assert (facts["rows"], facts["missing_values"], facts["classes"]) == (2, 1, {"no": 1, "yes": 1})
    assert "1 rows without a label" in facts["notes"][0]


def test_a_header_that_lacks_the_row_numbers_name_is_understood(tmp_path: Path) -> None:
    dataset = load(tmp_path, '"temperature","lux","label"\n"1",21.5,400,1\n"2",22.5,0,0\n')
    assert dataset.rows.tolist() == [[400.0, 21.5], [0.0, 22.5]]


@pytest.mark.parametrize(
    ("text", "label", "says"),
    [
        ("lux,temperature,label\n", "label", "no rows below its header"),
        ("lux,temperature,label\n1,2,x\n", "needs", "no column 'needs'; it has lux, temperature, label"),
        ("lux,label\n1,x\n", "label", "no column 'temperature'"),
        ("lux,temperature,label\n1,warm,x\n", "label", "line 2: 'warm' is not a number"),
        ("lux,temperature,label\n1,2,3,4,5\n", "label", "line 2: 5 values, the header has 3"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str, label: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        load(tmp_path, text, label)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing\.csv cannot be read \(No such file"):
        from_csv(tmp_path / "nothing.csv", ("lux",), "label", 10, 7)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([], "no labelled readings; publish readings with a label"),
        (["yes"] * 50, "only the class 'yes'; a classifier needs at least two"),
    ],
)
def test_data_that_cannot_be_learned_from(labels: list[str], says: str) -> None:
    readings = [((float(i), 1.0), label, 1_000 + i, "d") for i, label in enumerate(labels)]
    with pytest.raises(InvalidInput, match=says):
        check(from_readings(readings, ("lux", "temperature"), 1_000, 7))


def test_more_rows_than_the_limit_are_drawn_and_said() -> None:
    readings = [((float(i),), "a" if i % 2 else "b", i, "d") for i in range(100)]
    dataset = from_readings(readings, ("lux",), max_rows=40, seed=7)
    assert len(dataset.labels) == 40
    assert "40 of 100 rows" in dataset.notes[0]
    assert dataset.rows[:, 0].tolist() == from_readings(readings, ("lux",), 40, 7).rows[:, 0].tolist()
