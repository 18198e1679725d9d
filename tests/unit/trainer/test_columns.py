"""Device and time of a table's rows: which columns, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.columns import choose, times_of
from trainer.dataset import Dataset, from_csv
from zelador.errors import InvalidInput


def read(folder: Path, text: str, device: str | None = None, time: str | None = None) -> Dataset:
    path = folder / "readings.csv"
    path.write_text(text, encoding="utf-8")
    return from_csv(path, ("a",), "label", 1_000, 7, device, time)


@pytest.mark.parametrize(
    ("cells", "first", "calendar"),
    [
        (["2015-02-04 17:51:00", "2015-02-04 17:52:00"], 1_423_072_260_000, True),
        (["2015-02-04T17:51:00Z", "2015-02-04T18:51:00+01:00"], 1_423_072_260_000, True),
        (["2015-02-04", "2015-02-05"], 1_423_008_000_000, True),
        (["1423072260", "1423072320.5"], 1_423_072_260_000, True),
        (["1423072260000", "1423072320000"], 1_423_072_260_000, True),
        (["1423072260000000", "1423072320000000"], 1_423_072_260_000, True),
        (["1423072260000000000", "1423072320000000000"], 1_423_072_260_000, True),
        (["0", "0.5"], 0, False),
        (["31/12/2026 23:59", "01/01/2027 00:00"], 1_798_761_540_000, True),
        (["12/31/2026 23:59:30", "01/01/2027 00:00:00"], 1_798_761_570_000, True),
        (["31.12.2026", "01.01.2027"], 1_798_675_200_000, True),
    ],
)
def test_times_are_understood(cells: list[str], first: int, calendar: bool) -> None:
    found, of_the_calendar = times_of(cells)
    assert (found[0], of_the_calendar) == (first, calendar)
    assert found[1] >= found[0]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["01/02/2026", "03/04/2026"], "can be day and month or month and day"),
        (["2026-01-01", "soon"], "'soon' is not a time such as"),
        (["2026-01-01", ""], "'' is not a time"),
        (["inf", "1"], "'inf' is not a time"),
        (["13:53:12.826855"], "is not a time"),
    ],
)
def test_what_is_no_time_is_named(cells: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        times_of(cells)


def test_a_column_is_guessed_by_its_name_but_never_a_feature_or_the_label() -> None:
    header = ["Timestamp", "date", "machine_id", "a", "device", "label"]
    assert choose(None, ("device", "machine_id"), header, ("a", "label")) == "device"
    assert choose(None, ("device", "machine_id"), header, ("a", "label", "device")) == "machine_id"
    assert choose(None, ("time", "timestamp"), header, ("a",)) == "Timestamp"
    assert choose("none", ("device",), header, ()) is None
    assert choose("a", ("device",), header, ()) == "a"
    with pytest.raises(InvalidInput, match="no column 'x'; it has Timestamp, date"):
        choose("x", ("device",), header, ())


TABLE = """machine,date,a,label
m1,2026-01-02,1,x
m1,2026-01-01,2,y
m2,2026-01-03,3,x
m2,2026-01-03,3,x
m2,2026-01-04,4,
"""


def test_what_was_guessed_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, TABLE)
    assert found.devices == ("m1", "m1", "m2", "m2")
    assert found.times is not None and (found.times - found.times.min()).tolist() == [
        86_400_000,
        0,
        172_800_000,
        172_800_000,
    ]
    assert (found.first, found.last) == ("2026-01-01T00:00:00.000Z", "2026-01-03T00:00:00.000Z")
    assert found.notes[:2] == ("the device is the column 'machine'", "the time is the column 'date'")


def test_none_takes_none_and_row_takes_the_order(tmp_path: Path) -> None:
    bare = read(tmp_path, TABLE, "none", "none")
    assert (bare.devices, bare.times, bare.first) == (None, None, None)
    ordered = read(tmp_path, TABLE, "none", "row")
    assert ordered.times is not None and ordered.times.tolist() == [0, 1, 2, 3]
    assert ordered.first is None
    assert "the order of the rows stands for the time" in ordered.notes


def test_a_guessed_time_that_is_none_is_left_and_one_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    text = "date,a,label\nmonday,1,x\ntuesday,2,y\n"
    assert read(tmp_path, text).times is None
    assert "the column 'date' is not taken for the time: 'monday'" in read(tmp_path, text).notes[0]
    with pytest.raises(InvalidInput, match=r"column 'date': 'monday' is not a time .* --time, or none"):
        read(tmp_path, text, time="date")


def test_a_device_for_each_row_is_no_device(tmp_path: Path) -> None:
    text = "device,a,label\n" + "".join(f"r{i},{i},x\n" for i in range(9))
    assert read(tmp_path, text).devices is None
    assert "names no devices" in read(tmp_path, text).notes[0]
    assert read(tmp_path, text, device="device").devices is not None
