"""The course of each device over the last hour: samples of the buffer, on a real Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from operations.views import last_hour
from operations.views.last_hour import courses
from tests.integration.test_repeats import NOW, Site, sample
from zelador.settings import Settings


@pytest.fixture
def site(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(last_hour, "now_ms", lambda: NOW)
    return Site(settings)


def arrived(site: Site, seconds_ago: Sequence[int], old: int = -1) -> None:
    """A reading arrived at each of these moments, the oldest first; it was measured at once, `old` a day before."""
    for number, seconds in enumerate(seconds_ago):
        site.send(sample(number, ts=NOW - 1_000 * seconds - 86_400_000 * (seconds == old)))
    key = site.keys.readings
    entries: Any = site.client.xrange(key)
    site.client.delete(key)
    for (_, fields), seconds in zip(entries, seconds_ago, strict=True):
        site.client.xadd(key, fields, id=f"{NOW - 1_000 * seconds}-1")


def test_the_course_of_a_young_plant_is_not_one_minute_a_point(site: Site) -> None:
    arrived(site, (90, 70, 50, 30, 10, 0))
    found = courses(site.client, site.settings.redis.prefix)
    assert len(found.devices["press"]["lux"]) == 6
    assert 80_000 < NOW - found.since < 95_000


def test_the_course_is_of_the_last_hour(site: Site) -> None:
    arrived(site, (7_200, 3_500, 1_800, 90, 30, 0))
    found = courses(site.client, site.settings.redis.prefix)
    assert 3_400_000 < NOW - found.since <= 3_600_000
    assert 4 <= len(found.devices["press"]["lux"]) <= 5  # the newest two share a minute


def test_readings_that_a_device_sends_a_day_later_are_not_in_it(site: Site) -> None:
    arrived(site, (40, 20, 0), old=20)
    assert len(courses(site.client, site.settings.redis.prefix).devices["press"]["lux"]) == 2


def test_an_empty_buffer_has_no_course(site: Site) -> None:
    assert courses(site.client, site.settings.redis.prefix).devices == {}
