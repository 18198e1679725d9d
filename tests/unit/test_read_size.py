"""How many entries a worker asks for: about as many readings as it wants, whatever an entry holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zelador.buffer.read_size import ReadSize


def test_after_a_pause_it_expects_packs() -> None:
    assert ReadSize(50).entries(512) == 10
    assert ReadSize(50).after(0, 0).entries(512) == 10


def test_with_single_entries_it_soon_requests_all_that_it_needs() -> None:
    size, asked = ReadSize(50), []
    for _ in range(5):
        asked.append(size.entries(512))
        size = size.after(asked[-1], asked[-1])
    assert asked == [10, 50, 210, 512, 512]


def test_with_large_entries_it_requests_few() -> None:
    assert ReadSize(50).after(10, 500).entries(512) == 10
    assert ReadSize(50).after(1, 10_000).entries(512) == 1


def test_with_one_reading_per_entry_it_requests_that_many_entries() -> None:
    assert ReadSize(1).entries(60) == 60
    assert ReadSize(1).after(60, 60).entries(60) == 60


@given(
    limit=st.integers(1, 5_000),
    pack=st.integers(1, 500),
    answers=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 60)), max_size=20),
)
def test_a_burst_of_packs_after_single_entries_is_bounded(
    limit: int, pack: int, answers: list[tuple[int, int]]
) -> None:
    size, before = ReadSize(pack), 0
    for entries, each in answers:
        asked = size.entries(limit)
        assert 1 <= asked <= max(1, min(limit, 4 * before + limit // pack))
        before = min(entries, asked)
        size = size.after(before, before * each)
