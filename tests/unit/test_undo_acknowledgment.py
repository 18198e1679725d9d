"""When the acknowledgment of an alarm can be undone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zelador.alarms.state import Record
from zelador.alarms.undo import NOT_ACKNOWLEDGED, REPLACED, TOO_LATE, UNDO_S, can_undo, objection_to_undo

times = st.integers(1_700_000_000_000, 1_900_000_000_000)


@given(at=times, age=st.integers(0, int(UNDO_S * 1000)))
def test_it_can_be_undone_for_a_while(at: int, age: int) -> None:
    record = Record("acknowledged", by="ana", at=at)
    assert objection_to_undo(record, at + age) is None
    assert objection_to_undo(record, at + age, at) is None
    assert can_undo(record, at + age)


@given(at=times, more=st.integers(1, 10**9))
def test_and_no_longer(at: int, more: int) -> None:
    now = at + int(UNDO_S * 1000) + more
    assert objection_to_undo(Record("acknowledged", by="ana", at=at), now, at) == TOO_LATE


@given(at=times, other=times)
def test_another_acknowledgment_than_the_one_that_is_meant_is_left(at: int, other: int) -> None:
    found = objection_to_undo(Record("acknowledged", by="ana", at=at), at, other)
    assert found == (None if at == other else REPLACED)


@given(now=times, at=st.none() | times)
def test_what_nobody_acknowledged_is_left(now: int, at: int | None) -> None:
    for state in ("ok", "suspect", "alarm", "unknown"):
        assert objection_to_undo(Record(state), now, at) == NOT_ACKNOWLEDGED  # type: ignore[arg-type]
        assert not can_undo(Record(state), now)  # type: ignore[arg-type]
    assert not can_undo(Record("retired", by="ana", at=now, retired=now), now)
