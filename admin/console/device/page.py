"""The page of one device: its state, history and labels, and what an operator can do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

import redis
from fastapi import Form, Query, Request, Response
from fastapi import Path as InPath
from starlette.concurrency import run_in_threadpool

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.device import history as past
from admin.console.device.chart import Chart, chart_of
from admin.console.device.history import AskedPeriod, asked_of
from admin.console.device.live import Present, past_of, present
from admin.console.labels.page import Done, choices_of, done_of
from admin.console.language import Language
from admin.console.overview.live import FeatureShown, features_of
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.pulse import moment
from admin.console.said import Said
from admin.console.seen import Usual, seen_by_model
from admin.console.sent import MAX_FIELDS, Sent, refused_form, typed_of
from admin.console.visitor import Visiting, Visitor
from operations.acts import devices as acts
from operations.views.device_events import DeviceEventView
from operations.views.devices import DeviceView
from operations.views.labels import LabelView
from operations.views.plant import PlantView
from operations.views.stream import Reading
from zelador.alarms.state import IN_ALARM, State
from zelador.clock import now_ms
from zelador.errors import InvalidInput
from zelador.labels.rules import MAX_ID

router = pages("devices")

DeviceId = Annotated[str, InPath(max_length=512)]
Span = Annotated[str, Query(alias="range", max_length=10)]
Begin = Annotated[str, Query(alias="from", max_length=200)]
End = Annotated[str, Query(alias="to", max_length=200)]
NEWEST = 240  # readings in the table of the newest ones
NOTHING_ASKED = AskedPeriod()
SHELVE_HOURS = (1, 8, 24)  # for which one press of a button shelves a device
DAY_MS = 86_400_000
BACK = {"overview": "/console/overview", "list": "/console/states/acknowledged"}  # pages that a form returns to
TALL, LOW = 240, 104  # heights of charts
TROUBLE: tuple[State, ...] = ("suspect", *IN_ALARM)
HIDDEN: tuple[State, ...] = ("shelved", "retired")  # states by hand, under which trouble may go on
LABELS = "/console/labels"  # where the form of a label is sent


@dataclass(frozen=True, slots=True)
class DevicePage:
    device: DeviceView
    present: Present
    history: past.Shown
    period: str
    drawn: tuple[Chart, ...]  # of the features, the oddest first
    is_young: bool  # the period is shorter than the one that was chosen, because there is nothing older
    notes: tuple[str, ...]  # what the history lacks
    now: PlantView
    names: Mapping[str, str]
    may_act: bool
    labels: tuple[LabelView, ...]  # the newest labels of this device
    done: Done | None
    choices: tuple[str, ...]  # labels to choose from
    begin: str  # of the period that the form of a label begins with, as the value of its field
    end: str
    has_no_end: bool
    last_day: str  # asks for the day before its last reading, if the period has none
    points: str  # of the charts, as JSON
    hours: tuple[int, ...]
    spans: tuple[past.Span, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before a device is shelved or retired."""

    device: DeviceView
    now: PlantView
    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """The table of a device: parts of a period, or its newest readings, newest first."""

    device: DeviceView
    features: tuple[FeatureShown, ...]
    history: past.Shown | None
    period: str
    readings: tuple[Reading, ...]
    usual: Mapping[str, Usual]


@router.get("/{device}", **needs("viewer"))
def show_device(
    device: DeviceId,
    console: Shown,
    visitor: Visiting,
    done: Annotated[str, Query(max_length=MAX_ID)] = "",
    span: Span = "",
    begin: Begin = "",
    end: End = "",
    has_no_end: Annotated[str, Query(alias="open", max_length=10)] = "",
) -> Response:
    asked = asked_of(span, begin, "" if has_no_end else end)
    return _show(console, visitor, device, asked, done, bool(has_no_end))


@router.get("/{device}/points", **needs("viewer"))
def send_points(device: DeviceId, console: Shown, visitor: Visiting, span: Span = "1h") -> Response:
    """Sends the charts of a page that is open, as JSON, and its lane of states as HTML."""
    found, reader = console.services.devices.device(device), renderer(console, visitor)
    shown = past.read_history(console, reader.language, found, asked_of(span, "", ""), 0.0)
    series, lane = past.series_of(shown, features_of(console), {}), reader.macro("device/lane.html", "lane", shown)
    return Response(past.chart_json(reader.language, shown, series, lane=lane), media_type="application/json")


@router.get("/{device}/readings", **needs("viewer"))
def show_readings(
    device: DeviceId, console: Shown, visitor: Visiting, span: Span = "", begin: Begin = "", end: End = ""
) -> Response:
    """Shows the charts of a period as a table, or the newest readings."""
    found, features = console.services.devices.device(device), features_of(console)
    language, asked = renderer(console, visitor).language, asked_of(span, begin, end)
    shown = past.read_history(console, language, found, asked, 0.0) if asked.query else None
    newest = () if shown else tuple(console.services.recent.readings(NEWEST, None, device)[0])
    known = {name for row in shown.rows for name in row["values"]} if shown else set()
    known |= {name for reading in newest for name in reading["values"]}
    usual = seen_by_model(console, console.plant.read()).usual
    text = past.period_text(language, shown.view) if shown else ""
    context = Readings(found, tuple(each for each in features if each.name in known), shown, text, newest, usual)
    return show(console, visitor, "device/readings.html", context, section="devices")


@router.get("/{device}/shelve", **needs("operator"))
def confirm_shelving(device: DeviceId, console: Shown, visitor: Visiting) -> Response:
    return _ask(console, visitor, device, "device/shelve.html")


@router.get("/{device}/retire", **needs("operator"))
def confirm_retirement(device: DeviceId, console: Shown, visitor: Visiting) -> Response:
    return _ask(console, visitor, device, "device/retire.html")


@router.post("/{device}/period", **needs("viewer"))
async def show_period(device: DeviceId, request: Request, console: Shown, visitor: Visiting) -> Response:
    """Shows the period of the form of a label, and the form as it was typed. Only the period is in the address."""
    typed = typed_of((await request.form(max_fields=MAX_FIELDS)).multi_items())
    has_no_end = typed.has("open", "yes")
    begin, end = (typed.fields.get(name, ("",))[0] for name in ("from", "to"))
    asked = asked_of("", begin, "" if has_no_end else end)
    more = {"open": "yes"} if has_no_end else {}
    path = f"/console/devices/{quote(device, safe='')}?{urlencode([*parse_qsl(asked.query), *more.items()])}"
    sent = Sent(LABELS, typed.fields, is_shown=True)
    shown_to = replace(visitor, sent=sent, path=path.rstrip("?")[:1_000])
    return await run_in_threadpool(_show, console, shown_to, device, asked, "", has_no_end)


@router.post("/{device}/acknowledge", **needs("operator"))
def acknowledge(
    device: DeviceId, console: Shown, actor: Acting, back: Annotated[str, Form(max_length=10)] = ""
) -> Response:
    states = console.services.device_states
    if not acts.acknowledge(actor, states, device).is_changed:
        return _to(device, Said("acknowledged already", device), back)
    record = None
    with contextlib.suppress(redis.RedisError, OSError):  # it was done; without the time, an undo means the present one
        (record,) = states.records([device])
    at = {} if record is None or record.at is None else {"at": int(record.at)}
    return _to(device, Said("acknowledged", device, at, back), back)


@router.post("/{device}/unacknowledge", **needs("operator"))
def unacknowledge(
    device: DeviceId,
    console: Shown,
    actor: Acting,
    at: Annotated[int | None, Form(ge=0, le=2**53)] = None,
    back: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    acts.unacknowledge(actor, console.services.device_states, device, at)
    return _to(device, Said("unacknowledged", device), back)


@router.post("/{device}/shelve", **needs("operator"))
def shelve(
    device: DeviceId,
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    hours: Annotated[int, Form(ge=1, le=8_784)] = 1,
    until: Annotated[str, Form(max_length=20)] = "",
    why: Annotated[str, Form(max_length=acts.MAX_WHY)] = "",
) -> Response:
    end = now_ms() + hours * 3_600_000
    if until.strip():
        end = renderer(console, visitor).language.typed(until.strip(), "until")
    acted = acts.shelve(actor, console.services.device_states, device, end, why)
    return _to(device, Said("shelved" if acted.is_changed else "shelved already", device, {"until": end}))


@router.post("/{device}/unshelve", **needs("operator"))
def unshelve(device: DeviceId, console: Shown, actor: Acting) -> Response:
    acts.unshelve(actor, console.services.device_states, device)
    return _to(device, Said("unshelved", device))


@router.post("/{device}/retire", **needs("operator"))
def retire(device: DeviceId, console: Shown, actor: Acting) -> Response:
    acts.retire(actor, console.services.device_states, device)
    return _to(device, Said("retired", device))


@router.post("/{device}/restore", **needs("operator"))
def restore(device: DeviceId, console: Shown, actor: Acting) -> Response:
    acts.restore(actor, console.services.device_states, device)
    return _to(device, Said("restored", device))


def trouble_since(device: DeviceView, events: Sequence[DeviceEventView]) -> str | None:
    """Returns when the device stopped being OK; None if it is OK. `events` are newest first.

    Trouble goes on while the device is shelved or retired, unless the alarm of now began after that.
    """
    if device.state in HIDDEN and device.alarm_label is None:
        return None
    alarm = device.since if device.state in IN_ALARM else None
    began = [alarm] if alarm else []
    for event in events:
        if event.state in TROUBLE:
            began.append(event.at)
        elif event.state not in HIDDEN or event.before not in TROUBLE + HIDDEN or (alarm and event.at < alarm):
            break
    return min(began, default=None)


def _show(
    console: Console,
    visitor: Visitor,
    name: str,
    asked: AskedPeriod,
    done: str = "",
    has_no_end: bool = False,
) -> Response:
    services, language = console.services, renderer(console, visitor).language
    key, now = signed_in(visitor), console.plant.read()
    device = services.devices.device(name)
    console.window.kept.forget(("past", name))  # a form of this page may have added a label
    before = past_of(console, device)
    trouble = trouble_since(device, before.events)
    begun = min(moment(trouble or device.heard_at), moment(device.heard_at))
    try:
        shown = past.read_history(console, language, device, asked, now.at / 1000 - begun)
    except InvalidInput as error:  # a period that cannot be
        if visitor.sent is None or not visitor.sent.refusal:
            visitor = replace(visitor, sent=_refused(asked, visitor.sent, error))
        asked = NOTHING_ASKED
        shown = past.read_history(console, language, device, asked, now.at / 1000 - begun)
    here = present(console, renderer(console, visitor), key.role, device, now)
    newest = moment(here.newest.measured_at if here.newest else device.heard_at)
    to_label = past.period_to_label(shown, asked, moment(trouble) if trouble else None, newest)
    begin, end = ("", "") if to_label is None else (language.field(int(1_000 * at)) for at in to_label)
    known = replace(seen_by_model(console, now), usual={**here.seen, **here.usual})
    series = past.series_of(shown, features_of(console), here.newest.values if here.newest else {})
    series.sort(key=lambda each: known.oddness(each.feature.name, each.course), reverse=True)
    context = DevicePage(
        device,
        here,
        shown,
        past.period_text(language, shown.view),
        tuple(chart_of(language, name, shown, each, TALL if at == 0 else LOW) for at, each in enumerate(series)),
        shown.is_young,
        tuple(past.note_text(language, note) for note in shown.view["notes"]),
        now,
        here.names,
        here.may_act,
        before.labels,
        done_of(console, done) if done else None,
        choices_of(now, services.label_views.summary()),
        begin,
        end,
        has_no_end,
        "" if series else _last_day(language, device),
        past.chart_json(language, shown, series),
        SHELVE_HOURS,
        past.SPANS,
    )
    live = f"device?{urlencode({'about': name})}"
    return show(console, visitor, "device/page.html", context, section="devices", live=live)


def _last_day(language: Language, device: DeviceView) -> str:
    heard = int(1_000 * moment(device.heard_at))
    return AskedPeriod("", language.field(heard - DAY_MS), language.field(heard + 2_000)).query


def _refused(asked: AskedPeriod, typed: Sent | None, error: InvalidInput) -> Sent:
    """Returns the form that asked for a period which cannot be; it is the form of a label."""
    by_address = {"from": (asked.begin,), "to": (asked.end,)}
    return refused_form(LABELS, by_address if typed is None else typed.fields, error)


def _ask(console: Console, visitor: Visitor, name: str, template: str) -> Response:
    context = Question(console.services.devices.device(name), console.plant.read(), SHELVE_HOURS)
    return show(console, visitor, template, context, section="devices")


def _to(device: str, said: Said, back: str = "") -> Response:
    return go(BACK.get(back) or f"/console/devices/{quote(device, safe='')}", said)


ROUTERS = (router,)
