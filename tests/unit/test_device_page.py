"""What the console shows of a device's readings and events."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import timezone

import pytest

from admin.console.device.history import AskedPeriod, Band, Shown, period_to_label
from admin.console.device.live import Present
from admin.console.device.page import trouble_since
from admin.console.device.timeline import alarm_s
from admin.console.language import language
from admin.console.render import Renderer
from admin.console.seen import Seen
from admin.console.words import device_event
from operations.views.device_events import DeviceEventView
from operations.views.device_history import HistoryView
from operations.views.devices import DeviceView
from operations.views.plant import PlantView
from zelador.alarms import Rule
from zelador.alarms.state import State


def device(state: State, since: str | None = None) -> DeviceView:
    nothing = dict.fromkeys(field.name for field in fields(DeviceView))
    return DeviceView(**{**nothing, "device_id": "press-01", "state": state, "since": since})  # type: ignore[arg-type]


def troubled(state: State, since: str | None = None) -> DeviceView:
    """A device that the model finds in trouble, whatever state a person gave it."""
    return replace(device(state, since), alarm_label="yes")


def event(minute: int, state: str) -> DeviceEventView:
    at = f"2026-11-27T01:{minute:02}:00+00:00"
    return DeviceEventView(str(minute), at, "press-01", "ok", state, None, None, None, None, None, None)


def test_the_proposed_label_begins_when_the_device_stopped_being_ok() -> None:
    assert trouble_since(device("ok"), []) is None
    assert trouble_since(device("ok"), [event(5, "ok"), event(4, "alarm")]) is None
    states = ["acknowledged", "alarm", "suspect", "ok", "alarm"]  # newest first
    events = [event(10 - index, state) for index, state in enumerate(states)]
    assert trouble_since(device("acknowledged", events[1].at), events) == event(8, "suspect").at


def test_the_proposed_label_of_an_alarm_that_was_shelved_begins_with_the_alarm() -> None:
    began = event(1, "alarm")
    events = [event(9, "alarm"), event(5, "shelved"), began]
    assert trouble_since(device("alarm", began.at), events) == began.at


@pytest.mark.parametrize(
    ("state", "raised_by", "shown"),
    [
        ("alarm", "forest", ["According to forest", "Rule of tree, the selected model"]),
        ("alarm", "tree", ["According to tree"]),  # one model, one line
        ("ok", "forest", ["Rule of tree, the selected model"]),
    ],
)
def test_the_rule_names_its_model_if_another_one_raised_the_alarm(
    state: State, raised_by: str, shown: list[str]
) -> None:
    """The old model stood above the rule of the new one."""
    selection = {"model": "tree", "sequence": 2, "at": "2026-11-27T01:00:00Z", "by": "ana", "why": ""}
    plant = PlantView(**{**dict.fromkeys(each.name for each in fields(PlantView)), "selection": selection})  # type: ignore[arg-type]
    judged = replace(device(state, "2026-11-27T01:00:00Z"), alarm_model=raised_by, heard_at="2026-11-27T01:00:00Z")
    known = {"device": judged, "now": plant, "rule": Rule(), "names": {}}
    there = Present(**{**dict.fromkeys(each.name for each in fields(Present)), **known})  # type: ignore[arg-type]
    text = Renderer(language("en", timezone.utc), "").macro("device/live.html", "state", there)
    facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    said = [re.sub(r"<[^>]+>", "", f"{name} {value}") for name, value in facts]
    assert [each for each in said if each.startswith(("According", "Rule"))] == shown


def change(minute: int, before: str, state: str) -> DeviceEventView:
    at = f"2026-11-27T01:{minute:02}:00+00:00"
    return DeviceEventView(str(minute), at, "press-01", before, state, None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("device_now", "newest_first", "began"),
    [
        (device("shelved"), [("alarm", "shelved"), ("suspect", "alarm"), ("ok", "suspect")], None),  # it ended
        (troubled("shelved"), [("alarm", "shelved"), ("suspect", "alarm"), ("ok", "suspect"), ("alarm", "ok")], 7),
        (troubled("retired"), [("shelved", "retired"), ("alarm", "shelved"), ("ok", "alarm")], 7),
        (troubled("suspect"), [("shelved", "suspect"), ("alarm", "shelved"), ("ok", "alarm")], 7),
        (troubled("suspect"), [("shelved", "suspect"), ("ok", "shelved"), ("alarm", "ok")], 9),
        (troubled("shelved"), [("ok", "shelved"), ("alarm", "ok"), ("ok", "alarm")], None),
        (device("ok"), [("shelved", "ok"), ("alarm", "shelved"), ("ok", "alarm")], None),
    ],
)
def test_trouble_goes_on_while_a_device_is_shelved(
    device_now: DeviceView, newest_first: list[tuple[str, str]], began: int | None
) -> None:
    """The proposed period began when a person shelved the device, or ended the shelving."""
    events = [change(9 - place, *states) for place, states in enumerate(newest_first)]
    assert trouble_since(device_now, events) == (None if began is None else change(began, "", "").at)


def test_an_alarm_that_began_while_the_device_was_shelved_does_not_begin_with_the_one_before() -> None:
    events = [change(9, "shelved", "alarm"), change(5, "alarm", "shelved"), change(1, "ok", "alarm")]
    assert trouble_since(troubled("alarm", change(7, "", "").at), events) == change(7, "", "").at


@pytest.mark.parametrize(
    ("oldest_first", "lasted"),
    [
        ([("ok", "suspect"), ("suspect", "alarm"), ("alarm", "acknowledged"), ("acknowledged", "ok")], 120.0),
        ([("ok", "alarm"), ("alarm", "ok"), ("ok", "alarm"), ("alarm", "unknown")], 60.0),
        ([("ok", "alarm"), ("alarm", "acknowledged")], None),  # still in alarm
        ([("alarm", "acknowledged"), ("acknowledged", "ok")], None),  # it began before the events that are read
        ([("ok", "suspect"), ("suspect", "ok")], None),
    ],
)
def test_an_event_that_ends_an_alarm_says_how_long_it_lasted(
    oldest_first: list[tuple[str, str]], lasted: float | None
) -> None:
    events = [change(minute, *states) for minute, states in enumerate(oldest_first)][::-1]
    assert alarm_s(events, 0) == lasted


@pytest.mark.parametrize(("state", "said"), [("unknown", "All devices are silent"), ("ok", "Readings arrive again")])
def test_an_event_of_all_devices_is_a_sentence_of_its_own(state: str, said: str) -> None:
    fleet = DeviceEventView("1", "2026-11-27T01:00:00Z", None, "", state, None, None, None, None, None, None)
    assert device_event(language("en", timezone.utc), fleet, {}).sentence == said


def test_an_event_of_a_person_says_who_it_was() -> None:
    taken = DeviceEventView(
        "1", "2026-11-27T01:00:00Z", "pump-04", "alarm", "acknowledged", "key 4f2a91c0", None, None, None, None, None
    )
    names = {"key 4f2a91c0": "a.lima"}
    assert device_event(language("en", timezone.utc), taken, names).sentence == "pump-04: alarm acknowledged by a.lima"


VIEW: HistoryView = {
    "device_id": "a", "from": "1970-01-01T00:01:40.000Z", "to": "1970-01-01T00:16:40.500Z", "step_ms": 1_000,
    "features": [], "readings": 1, "buckets": [{"at": "1970-01-01T00:03:20.000Z", "readings": 1, "values": {}}],
    "labels": [], "states": [], "usual": {}, "notes": [],
}  # fmt: skip
ALARM = Band(300.2, 400.2, "", True)


@pytest.mark.parametrize(
    ("asked", "trouble", "alarms", "found"),
    [
        (AskedPeriod("", "soon", ""), 500.0, (ALARM,), (100.0, 1000.5)),  # what was asked for
        (AskedPeriod("6h"), 500.7, (ALARM,), (500, 901)),  # the last reading is in it
        (AskedPeriod(), 950.0, (), (950, 951)),  # trouble that began after the last reading has an end too
        (AskedPeriod(), None, (Band(1.0, 2.0, "", True), ALARM), (300, 401)),
        (AskedPeriod(), None, (), (100.0, 1000.5)),
    ],
)
def test_the_form_of_a_label_begins_with_a_period_that_has_an_end(
    asked: AskedPeriod, trouble: float | None, alarms: tuple[Band, ...], found: tuple[float, float]
) -> None:
    shown = Shown("6h", "", 100.0, 1000.5, VIEW, (), alarms, ())
    assert period_to_label(shown, asked, trouble, 900.3) == found


def test_the_form_of_a_label_begins_empty_where_nothing_is_shown() -> None:
    shown = Shown("6h", "", 100.0, 1000.5, {**VIEW, "buckets": []}, (), (), ())
    assert period_to_label(shown, AskedPeriod(), None, 900.3) is None


def test_the_order_of_features_does_not_follow_single_readings() -> None:
    """Two features that are both odd keep the model's order, whichever has the greater last value."""
    seen = Seen(
        {"lux": (200.0, 500.0), "heat": (20.0, 90.0), "shake": (0.0, 6.0)}, {"heat": 0.1, "lux": 0.3, "shake": 0.2}
    )
    calm = [1.0] * 20
    for lux, heat in (
        ([1_177.0] * 20, [300.0] * 20),
        ([1_166.0] * 20, [3_000.0] * 20),
        ([900.0] * 19 + [300.0], [99.0] * 20),
    ):
        values = {"shake": [*calm, 9.0], "heat": heat, "lux": lux}
        assert sorted(values, key=lambda name: seen.oddness(name, values[name]), reverse=True) == [
            "lux",
            "heat",
            "shake",
        ]
    moved = {"lux": [400.0, 410.0], "shake": [0.4, 5.9], "heat": [45.0, 46.0]}
    assert max(moved, key=lambda name: Seen().oddness(name, moved[name])) == "shake"  # a model that says neither
