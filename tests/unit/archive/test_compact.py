"""Which files are merged: consecutive ones of one day, none twice; in the end few are left."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from archive.compact import COLUMNS, MAX_CELLS, MERGED_FILES, plan
from archive.layout import File, rows_of

MAX_ROWS = MAX_CELLS // COLUMNS
DAY_MS = 86_400_000
FIRST_DAY = 20_781 * DAY_MS  # 2026-11-24
days = st.lists(st.lists(st.integers(1, MAX_ROWS), max_size=40), min_size=1, max_size=3)


def files_of(days: list[list[int]]) -> list[File]:
    found = []
    for day, sizes in enumerate(days):
        for place, rows in enumerate(sizes):
            entry = f"{FIRST_DAY + day * DAY_MS + place * 1000}-0"
            path = f"readings/day=2026-11-{24 + day}/{entry}-{entry}-{place}.parquet"
            found.append(File(path, rows, rows, "", entry, entry, 0, 1, ""))
    return found


@given(days, st.integers(24, 28))
def test_runs_are_consecutive_files_of_one_day_within_the_limit(sizes: list[list[int]], today: int) -> None:
    files = files_of(sizes)
    runs = list(plan(files, f"2026-11-{today}"))
    merged = [file for run in runs for file in run]
    assert len(set(merged)) == len(merged)
    for run in runs:
        begin = files.index(run[0])
        assert list(run) == files[begin : begin + len(run)]
        assert len({file.day for file in run}) == 1
        assert rows_of(run) <= MAX_ROWS
        assert len(run) >= (2 if run[0].day < f"2026-11-{today}" else MERGED_FILES)


@given(days)
def test_a_past_day_ends_with_files_of_which_no_two_neighbors_fit_in_one(sizes: list[list[int]]) -> None:
    files = files_of(sizes)
    for _ in range(100):
        runs = list(plan(files, "2026-12-01"))
        if not runs:
            break
        for run in runs:
            at = files.index(run[0])
            files[at : at + len(run)] = [msgspec.structs.replace(run[0], rows=rows_of(run), last=run[-1].last)]
    for one, other in pairwise(files):
        assert one.day != other.day or one.rows + other.rows > MAX_ROWS


def test_a_day_of_half_minutes_is_a_few_dozen_files_while_it_lasts() -> None:
    """Each reading is also written only a few times."""
    files: list[File] = []
    written = 0
    for place in range(2_880):
        files += [msgspec.structs.replace(file) for file in files_of([[600]])]
        files[-1] = msgspec.structs.replace(files[-1], path=f"readings/day=2026-11-24/{place}")
        while runs := list(plan(files, "2026-11-24")):
            for run in runs:
                at = files.index(run[0])
                written += rows_of(run)
                files[at : at + len(run)] = [msgspec.structs.replace(run[0], rows=rows_of(run))]
    assert len(files) < 60
    assert written < 4 * 2_880 * 600


def test_files_of_many_features_are_merged_into_smaller_ones() -> None:
    """A merge holds the whole table: a million readings of a hundred features were more than the archiver may have."""
    columns = 109
    files = [msgspec.structs.replace(each, columns=columns) for each in files_of([[10_000] * 60])]
    runs = list(plan(files, "2026-12-01"))
    assert [rows_of(run) * columns <= MAX_CELLS for run in runs] == [True] * 6
    assert sum(map(len, runs)) == 60
