"""The pages of a device's events have each change and each label once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from admin.console.device.events import PAGE_EVENTS, entries
from admin.console.device.timeline import TimelineEntry
from admin.console.language import language
from operations.views.device_events import DeviceEventView
from zelador.messages import iso

EN = language("en", timezone.utc)
BEGIN = datetime(2026, 11, 27, tzinfo=timezone.utc)


def ms(minutes: float) -> int:
    return round(1000 * (BEGIN + timedelta(minutes=minutes)).timestamp())


def change(minute: int) -> DeviceEventView:
    states = ("ok", "alarm") if minute % 2 else ("alarm", "ok")
    nothing: dict[str, Any] = dict.fromkeys(("by", "why", "label", "probability", "model", "reading_id"))
    return DeviceEventView(f"{ms(minute)}-0", iso(ms(minute)), "press", before=states[0], state=states[1], **nothing)


def label(minute: float) -> Any:
    return {
        "at": iso(ms(minute)), "by": "me", "label": "yes", "from": iso(ms(minute)), "to": None, "note": f"at {minute}",
        "undone_at": None, "undone_by": None, "again": None,
    }  # fmt: skip


def test_each_event_is_on_one_page_and_an_alarm_has_its_length_across_pages() -> None:
    changes = [change(minute) for minute in reversed(range(2 * PAGE_EVENTS + 30))]
    labels = [label(minute) for minute in reversed([-3.5, 0.5, 100.5, 129.5, 130.5, 160.5, 500.5])]
    found: list[TimelineEntry] = []
    before, rest = None, changes
    while rest:
        shown = entries(EN, rest[: PAGE_EVENTS + 20], labels, {}, before)
        assert [each.at for each in shown] == sorted((each.at for each in shown), reverse=True)
        found += shown
        before, rest = rest[:PAGE_EVENTS][-1].id, rest[PAGE_EVENTS:]
    assert len({(each.at, each.text) for each in found}) == len(found) == len(changes) + len(labels)
    ends = [each.text for each in found if each.state == "ok"]
    assert ends[:-1] == ["after 1 min in alarm"] * (len(ends) - 1)
