"""Which label a device had when: decided as by reading the list from its end, for any list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zelador.labels import Label
from zelador.labels.timeline import Timeline

PERIODS = st.lists(
    st.tuples(st.integers(0, 12), st.none() | st.integers(1, 8), st.sampled_from(["no", "yes", "maybe"])), max_size=12
)


def listed(periods: list[tuple[int, int | None, str]]) -> list[Label]:
    return [
        Label(str(place), "press", begin, None if length is None else begin + length, label)
        for place, (begin, length, label) in enumerate(periods)
    ]


@given(PERIODS)
def test_the_label_added_last_counts_and_the_end_is_not_part_of_a_period(
    periods: list[tuple[int, int | None, str]],
) -> None:
    labels = listed(periods)
    timeline = Timeline(labels)
    for moment in range(-1, 22):
        covering = [each.label for each in labels if each.covers(moment)]
        assert timeline.at(moment) == (covering[-1] if covering else None)


@given(PERIODS, st.integers(0, 15), st.none() | st.integers(1, 5))
def test_the_labels_in_a_period_are_those_of_its_moments(
    periods: list[tuple[int, int | None, str]], begin: int, length: int | None
) -> None:
    timeline = Timeline(listed(periods))
    end = None if length is None else begin + length
    moments = range(begin, 40 if end is None else end)
    assert set(timeline.labels_in(begin, end)) == {timeline.at(each) for each in moments} - {None}
