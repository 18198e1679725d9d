"""Finding columns by name, by the field map, or by a unit in the name; notes say how columns were interpreted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zelador.errors import InvalidInput
from zelador.ranges import Ranges
from zelador.settings import Settings
from zelador.table import Rows, Wanted, read_table
from zelador.table.times import milliseconds, times_of


def read(folder: Path, text: str, wanted: Wanted, **settings: Any) -> Rows:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, Settings(**settings), wanted)


def test_the_field_map_of_the_devices_holds_for_tables(tmp_path: Path) -> None:
    settings = {"features": ("temperature",), "fields": {"temperature": {"from": "Air temperature [K]", "scale": 2.0}}}
    found = read(tmp_path, "Air temperature [K],label\n20,x\n", Wanted(label="label"), **settings)
    assert (found.features, list(found.values)) == (("temperature",), [40.0])
    assert "'Air temperature [K]' is read as temperature, times 2 (ZELADOR_FIELDS)" in found.notes[0]


def test_a_column_with_the_features_own_name_is_in_its_unit_and_the_scale_is_not_silently_used(tmp_path: Path) -> None:
    settings = {"features": ("lux",), "fields": {"lux": {"scale": 1000.0}}}
    found = read(tmp_path, "lux\n400\n", Wanted(), **settings)
    assert list(found.values) == [400.0]
    assert "lux is read as it is; the scale 1000" in found.notes[0]


@pytest.mark.parametrize("name", ["Temperature", "temperature [°C]", "Temperature (C)", "TEMPERATURE (degC)"])
def test_a_name_with_the_known_unit_is_the_feature(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"{name},label\n20,x\n", Wanted(label="label"), features=("temperature",))
    assert list(found.values) == [20.0]
    assert f"{name!r} is read as temperature" in found.notes[0]


def test_another_unit_is_refused_with_the_way_to_map_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'Temperature \[°R\]' is in °R, and temperature is in °C.*ZELADOR_FIELDS"):
        read(tmp_path, "Temperature [°R],label\n520,x\n", Wanted(label="label"), features=("temperature",))


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("Temperature [K]", 293.15, 20.0),
        ("temperature (°F)", 68, 20.0),
        ("Vibration [m/s²]", 9.80665, 1.0),
        ("Lux [klx]", 0.5, 500.0),
    ],
)
def test_a_unit_that_is_known_is_converted(name: str, cell: float, value: float, tmp_path: Path) -> None:
    feature = name.split()[0].lower()
    found = read(tmp_path, f"{name},label\n{cell},x\n", Wanted(label="label"), features=(feature,))
    assert list(found.values) == [pytest.approx(value)]
    assert "converted to" in found.notes[0]


def test_without_chosen_features_all_numbers_of_a_table_are_the_features(tmp_path: Path) -> None:
    rows = "1,2.5,0,ok,7,m1,2026-01-01 10:00:00\n" * 2
    text = f"id,Torque [Nm],Machine failure,remark,speed,device,timestamp\n{rows}"
    found = read(tmp_path, text, Wanted(label="Machine failure", context=True))
    assert found.features == ("Torque [Nm]", "speed")
    assert "its numbers are features: Torque [Nm], speed" in " ".join(found.notes).replace("all ", "")
    assert (found.devices, list(found.times or ())) == (["m1"] * 2, [1767261600000] * 2)


def test_chosen_features_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no column 'lux'"):
        read(tmp_path, "speed,label\n1,x\n", Wanted(label="label"), features=("lux",))


def test_a_feature_may_be_called_label(tmp_path: Path) -> None:
    found = read(tmp_path, "label,state\n1.5,x\n", Wanted(("label",), "state"))
    assert (list(found.values), found.labels) == ([1.5], ["x"])


def test_one_column_is_not_read_twice(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is the label and a feature"):
        read(tmp_path, "a,b\n1,2\n", Wanted(("a", "b"), "b"))
    with pytest.raises(InvalidInput, match="both read from 'A'"):
        read(tmp_path, "A,b\n1,2\n", Wanted(("A", "a"), "b"))


def test_a_row_with_a_cell_that_is_not_a_number_has_a_fault_on_request(tmp_path: Path) -> None:
    found = read(tmp_path, "a,b\n1,2\nx,3\n", Wanted(("a", "b"), strict=False))
    assert found.faults == {1: "'x' is not a number, but a feature must be one"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-01T10:00:00Z", 1767261600000), ("2026-01-01 10:00:00.5", 1767261600500),
        ("2026-01-01T12:00:00+02:00", 1767261600000), ("13.01.2026 10:00", 1768298400000),
        ("2026/01/01 10:00:00", 1767261600000), ("1767261600", 1767261600000), ("1767261600000", 1767261600000),
        ("1767261600000000", 1767261600000), ("1767261600000000000", 1767261600000), ("2026-01-01", 1767225600000),
        ("10:00", None), ("12", None), ("31.02.2026", None), ("01/02/2026", None), ("31/12/2026 23:59", 1798761540000),
        ("", None), ("yesterday", None), ("1e400", None),
        ("2026-01-01 10:00:00 UTC", 1767261600000), ("2026-01-01 10:00:00 +0000 UTC", 1767261600000),
        ("Thu, 01 Jan 2026 10:00:00 GMT", 1767261600000), ("1-Jan-2026 10:00", 1767261600000),
        ("Jan 1, 2026, 10:00:00 AM", 1767261600000), ("12/31/2026 11:59 PM", 1798761540000),
        ("12/31/2026 12:30 AM", 1798677000000), ("12/31/2026 13:30 PM", None), ("1 Foo 2026", None),
    ],
)  # fmt: skip
def test_times_in_cells(text: str, found: int | None) -> None:
    assert milliseconds(text) == found


def test_one_range_for_all() -> None:
    ranges = Ranges.of(Settings(), ("lux", "temperature", "other"))
    assert ranges.objection((1.0, 20.0, -1e9)) is None
    assert ranges.objection((1.0, -127.0, 0.0)) == "temperature is -127 °C, outside -100 to 1000"
    assert ranges.objection((float("nan"), 20.0, 0.0)) is None
    assert ranges.complete_objection((float("nan"), 20.0, 0.0)) == "there is no value for lux"


@pytest.mark.parametrize(
    ("cells", "first", "calendar"),
    [
        (["2015-02-04 17:51:00", "2015-02-04 17:52:00"], 1_423_072_260_000, True),
        (["2015-02-04T17:51:00Z", "2015-02-04T18:51:00+01:00"], 1_423_072_260_000, True),
        (["1423072260", "1423072320.5"], 1_423_072_260_000, True),
        (["1423072260000000000", "1423072320000000000"], 1_423_072_260_000, True),
        ([1423072260, 1423072320.5], 1_423_072_260_000, True),
        (["0", "0.5"], 0, False),
        (["31/12/2026 23:59", "01/01/2027 00:00"], 1_798_761_540_000, True),
        (["12/31/2026 23:59:30", "01/01/2027 00:00:00"], 1_798_761_570_000, True),
        (["31.12.2026", "01.01.2027"], 1_798_675_200_000, True),
        (["31-12-2026 00:00:00.5", "01-01-2027 00:00:00"], 1_798_675_200_500, True),
    ],
)
def test_a_column_of_times(cells: list[Any], first: int, calendar: bool) -> None:
    found, of_the_calendar = times_of(cells)
    assert (found[0], of_the_calendar) == (first, calendar)
    assert found[1] >= found[0]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["01/02/2026", "03/04/2026"], "can be day and month or month and day"),
        (["2026-01-01", "soon"], "'soon' is not a time such as"),
        (["2026-01-01", ""], "'an empty cell' is not a time"),
        (["inf", "1"], "'inf' is not a time"),
        (["13:53:12.826855"], "is not a time"),
    ],
)
def test_a_cell_that_is_not_a_time_is_named(cells: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        times_of(cells)
