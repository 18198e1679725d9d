"""What happened to a device, newest first: changes of its state, and labels that people gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admin.console.authors import named
from admin.console.language import Language
from admin.console.pulse import moment
from admin.console.words import label_text, period, reason_of_change, returned
from operations.views.device_events import DeviceEventView
from operations.views.labels import LabelView
from zelador.alarms.state import IN_ALARM


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    at: str
    state: str  # after a change of the state; else empty
    text: str


def timeline(
    language: Language,
    events: Sequence[DeviceEventView],
    labels: Sequence[LabelView],
    names: Mapping[str, str],
    most: int,
) -> tuple[TimelineEntry, ...]:
    """Returns the newest. Events and labels are newest first; of labels, none is older than the oldest event."""
    found = [_event(language, events, place, names) for place in range(len(events))]
    oldest = events[-1].at if len(events) >= most else ""
    for each in labels:
        found += [entry for entry in _label(language, each, names) if entry.at >= oldest]
    found.sort(key=lambda entry: entry.at, reverse=True)
    return tuple(found[:most])


def alarm_s(events: Sequence[DeviceEventView], place: int) -> float | None:
    """Returns how long the device was in alarm until the event at `place`; None if that did not end an alarm. Pure."""
    ended = events[place]
    if ended.before not in IN_ALARM or ended.state in IN_ALARM:
        return None
    begun: str | None = None
    for event in events[place + 1 :]:
        if event.state not in IN_ALARM:
            return None if begun is None else moment(ended.at) - moment(begun)
        begun = event.at
        if event.before not in IN_ALARM:
            return moment(ended.at) - moment(begun)
    return None


def _event(
    language: Language, events: Sequence[DeviceEventView], place: int, names: Mapping[str, str]
) -> TimelineEntry:
    event, _ = events[place], language.text
    parts = []
    if how := returned(language, event, names):
        parts.append(_("again: %(how)s", how=how) if event.state == "alarm" else how)
    elif event.label is not None and event.probability is not None:
        label, probability = label_text(language, event.label), language.number(event.probability, 2)
        parts.append(_("“%(label)s”, probability %(p)s", label=label, p=probability))
    if event.by and not how:
        parts.append(_("by %(who)s", who=named(language, event.by, names)))
    if (lasted := alarm_s(events, place)) is not None and lasted >= 1:
        parts.append(_("after %(time)s in alarm", time=language.whole_duration(lasted)))
    text = ", ".join(parts)
    return TimelineEntry(event.at, event.state, ": ".join(filter(None, (text, reason_of_change(language, event)))))


def _label(language: Language, label: LabelView, names: Mapping[str, str]) -> list[TimelineEntry]:
    name, of = label_text(language, label["label"]), period(language, label["from"], label["to"])
    added = language.text(
        "%(who)s labeled %(period)s “%(label)s”", who=named(language, label["by"], names), period=of, label=name
    )
    found = [TimelineEntry(label["at"], "", f"{added}, {label['note']}" if label["note"] else added)]
    if label["undone_at"] is not None:
        who = named(language, label["undone_by"] or "", names)
        undone = language.text("%(who)s undid the label “%(label)s”, %(period)s", who=who, period=of, label=name)
        found.append(TimelineEntry(label["undone_at"], "", undone))
    return found
