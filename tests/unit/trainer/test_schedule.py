"""Runs follow the clock of the plant: each scheduled time once, even when the clock changes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from trainer.schedule import Schedule
from zelador.errors import InvalidInput
from zelador.settings import load_settings


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def came(schedule: Schedule, begin: str, hours: int) -> list[str]:
    """The times that become due within so many hours, checked every ten minutes."""
    now, found = utc(begin), []
    for _ in range(6 * hours + 1):
        if (slot := schedule.due(now)) is not None:
            found.append(f"{slot:%m-%d %H:%M}")
        now += timedelta(minutes=10)
    return found


def test_the_plants_clock_counts() -> None:
    schedule = Schedule("30 2 * * *", "America/Sao_Paulo", utc("2026-11-24T00:00"))
    assert came(schedule, "2026-11-24T00:00", 48) == ["11-24 05:30", "11-25 05:30"]


def test_a_change_of_the_clock_loses_no_night_and_doubles_none() -> None:
    spring = Schedule("30 2 * * *", "Europe/Berlin", utc("2026-03-28T12:00"))  # 2:30 does not exist on the 29th
    assert [each[:5] for each in came(spring, "2026-03-28T12:00", 48)] == ["03-29", "03-30"]
    autumn = Schedule("30 2 * * *", "Europe/Berlin", utc("2026-10-24T12:00"))  # 2:30 comes twice on the 25th
    assert [each[:5] for each in came(autumn, "2026-10-24T12:00", 48)] == ["10-25", "10-26"]


def test_missed_times_count_as_one() -> None:
    schedule = Schedule("* * * * *", "UTC", utc("2026-11-24T00:00"))
    assert schedule.due(utc("2026-11-24T00:00:30")) is None
    assert schedule.due(utc("2026-11-24T05:00:30")) == utc("2026-11-24T05:00")
    assert schedule.due(utc("2026-11-24T05:00:59")) is None


@pytest.mark.parametrize(
    "text", ["often", "30 2 * *", "0 30 2 * * *", "61 2 * * *", "0 0 30 2 *", "@daily", "* * * * x"]
)
def test_an_invalid_expression_is_refused_with_the_settings_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"ZELADOR_TRAINING__SCHEDULE: .*30 2 \* \* 1-5"):
        load_settings(training={"schedule": text})


def test_an_empty_setting_is_no_schedule() -> None:
    assert load_settings(training={"schedule": " "}).training.schedule is None
