"""Translates the fixed English values of the API: acts, states, labels, people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from admin.console.authors import named
from admin.console.catalog import mark as _
from admin.console.language import RANGE, Language
from admin.services import Services
from operations.acts.quarantine import ALL
from operations.audit import Act
from operations.audit_entry import Change
from operations.key_file import Role
from operations.views.audit import reasons
from operations.views.device_events import DeviceEventView
from operations.views.devices import DeviceView
from operations.views.keys import key_names
from zelador.alarms.state import WELL

ACTS: Mapping[str, str] = {
    Act.MODEL_REGISTERED: _("%(who)s registered %(target)s"),
    Act.MODEL_ANNOTATED: _("%(who)s changed the notes of %(target)s"),
    Act.MODEL_RENAMED: _("%(who)s renamed %(target)s"),
    Act.MODEL_DELETED: _("%(who)s deleted %(target)s"),
    Act.MODEL_SELECTED: _("%(who)s selected %(target)s"),
    Act.SELECTION_ROLLED_BACK: _("%(who)s rolled back to %(target)s"),
    Act.RUN_REQUESTED: _("%(who)s started run %(target)s"),
    Act.RUN_CANCELLED: _("%(who)s canceled run %(target)s"),
    Act.PROMOTION_DECIDED: _("%(who)s decided whether a model of run %(target)s is promoted"),
    Act.RUN_FINISHED: _("%(who)s had run %(target)s finish with what it had"),
    Act.QUARANTINE_REPLAYED: _("%(who)s replayed %(target)s from quarantine"),
    Act.QUARANTINE_DISCARDED: _("%(who)s discarded %(target)s from quarantine"),
    Act.ALARM_ACKNOWLEDGED: _("%(who)s acknowledged the alarm of %(target)s"),
    Act.ALARM_UNACKNOWLEDGED: _("%(who)s undid the acknowledgment of the alarm of %(target)s"),
    Act.DEVICE_SHELVED: _("%(who)s shelved %(target)s"),
    Act.DEVICE_UNSHELVED: _("%(who)s ended the shelving of %(target)s"),
    Act.DEVICE_RETIRED: _("%(who)s retired %(target)s"),
    Act.DEVICE_RESTORED: _("%(who)s brought %(target)s back"),
    Act.LABEL_ADDED: _("%(who)s added label %(target)s"),
    Act.LABEL_UNDONE: _("%(who)s undid label %(target)s"),
    Act.LABELS_IMPORTED: _("%(who)s imported %(target)s"),
    Act.LABELS_UNDONE: _("%(who)s undid an import of %(target)s"),
    Act.DATASET_DROPPED: _("%(who)s removed loaded data set %(target)s"),
    Act.DEVICE_PASSWORD_MADE: _("%(who)s made a password for device %(target)s"),
    Act.DEVICE_PASSWORD_REMOVED: _("%(who)s removed the password of device %(target)s"),
    Act.KEY_MADE: _("%(who)s made key %(target)s"),
    Act.KEY_REVOKED: _("%(who)s revoked key %(target)s"),
    Act.REGISTRY_ACCEPTED: _("%(who)s confirmed the restored registry"),
    Act.REGISTRY_COLLECTED: _("%(who)s freed space in the registry"),
    Act.REGISTRY_TRUSTED: _("%(who)s vouched for the registry's entries"),
}
LABELS = re.compile(r"(\d{1,9}) labels?")  # the target of an import
MAX_TARGET, MAX_REASON = 80, 200
YES, NO = _("yes"), _("no")

STATES: Mapping[str, str] = {
    "ok": _("OK"),
    "suspect": _("Suspect"),
    "alarm": _("Alarm"),
    "acknowledged": _("Acknowledged"),
    "shelved": _("Shelved"),
    "unknown": _("Unknown"),
    "retired": _("Retired"),
}
REASONS: Mapping[str, str] = {
    "silent": _("silent"),
    "quarantined": _("its readings are quarantined"),
    "set aside": _("its readings are set aside"),
    "not classified": _("no reading was classified yet"),
    "chattering": _("in trouble again soon after an alarm"),
}
SILENT_WORDS: Mapping[str, str] = {
    "silent": _("silent, last reading %(time)s"),
    "fleet": _("silent with all others, last reading %(time)s"),
}
EVENTS: Mapping[str, str] = {
    "ok": _("%(device)s is OK again"),
    "alarm": _("%(device)s is in alarm"),
    "acknowledged": _("%(device)s: alarm acknowledged"),
    "shelved": _("%(device)s is shelved"),
    "unknown": _("%(device)s is unknown"),
    "retired": _("%(device)s is retired"),
}
FLEET_EVENTS: Mapping[str, str] = {  # of no device in particular
    "ok": _("Readings arrive again"),
    "unknown": _("All devices are silent"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """A change as a sentence."""

    at: str
    sentence: str
    state: str = ""  # of the device, if it is about one
    device_id: str = ""  # with which the sentence begins; empty if it has no page

    @property
    def rest(self) -> str:
        """The sentence after the device."""
        return self.sentence.removeprefix(self.device_id)


def sentence(language: Language, names: Mapping[str, str], entry: Change) -> str:
    """Returns an entry of the audit log as a sentence; an unknown act stays as it is written there."""
    who, what, target = named(language, entry.who, names), entry.what, entry.target
    pattern = ACTS.get(what)
    if what in (Act.LABEL_ADDED, Act.LABEL_UNDONE):
        target = _labeled(language, entry.after or entry.before) or target
    if what in (Act.LABELS_IMPORTED, Act.LABELS_UNDONE) and (labels := LABELS.fullmatch(target)):
        count = int(labels[1])
        target = language.counted("1 label", "%(shown)s labels", count, shown=language.number(count))
    if what in (Act.QUARANTINE_REPLAYED, Act.QUARANTINE_DISCARDED) and target == ALL:
        target = language.text("all messages")
    elif what in (Act.QUARANTINE_REPLAYED, Act.QUARANTINE_DISCARDED):
        device = entry.after.get("device") if isinstance(entry.after, Mapping) else None
        target = language.text("a message of %(device)s", device=device) if isinstance(device, str) else target
    if what in (Act.KEY_MADE, Act.KEY_REVOKED) and f"key {target}" in names:
        target = f"“{names[f'key {target}']}”"
    shown = target if len(target) <= MAX_TARGET else f"{target[:MAX_TARGET]}…"
    if pattern is None:
        return f"{who}: {what} {shown}"
    return language.text(pattern, who=who, target=shown)


def act(language: Language, names: Mapping[str, str], entry: Change) -> str:
    """Returns an audit entry as a sentence without its author, who is shown beside it."""
    return sentence(language, {**names, entry.who: ""}, entry).strip(": ")


def reason_of(entry: Change) -> str:
    """Returns the reason that was given; empty without one."""
    if entry.what in (Act.KEY_MADE, Act.KEY_REVOKED):  # the note of a key is its name
        return ""
    return next((each[:MAX_REASON] for each in reasons(entry) if each), "")


def _labeled(language: Language, facts: object) -> str:
    """Describes the label that an entry concerns: device, label and period."""
    if not isinstance(facts, Mapping) or not all(
        isinstance(facts.get(name), str) for name in ("device", "label", "from")
    ):
        return ""
    end = facts.get("to")
    when = period(language, facts["from"], end if isinstance(end, str) else None)
    return f"“{label_text(language, facts['label'])}”, {facts['device']}, {when}"


def period(language: Language, begin: str, end: str | None) -> str:
    """Formats a period such as 24 Nov 10:26–10:54, with seconds if they are not zero."""
    first = language.local(begin)
    last = None if end is None else language.local(end)
    seconds = bool(first.second or (last is not None and last.second))
    start = language.day_and_time(begin) + (f":{first.second:02d}" if seconds else "")
    if last is None:
        return language.text("since %(time)s", time=start)
    clock = language.clock(end or begin)
    time = clock if seconds else clock[:5]
    if first.date() == last.date():
        return f"{start}{RANGE}{time}"
    return f"{start}\N{NO-BREAK SPACE}– {language.day_and_time(end or begin)}{clock[5:] if seconds else ''}"


def device_why(language: Language, device: DeviceView, names: Mapping[str, str]) -> str:
    """Says in a few words why a device is in its state; empty for one that is OK."""
    taken = _taken_by(language, device, names) if device.state == "acknowledged" else ""
    return "; ".join(filter(None, (_why(language, device), taken)))


def device_line(language: Language, device: DeviceView, names: Mapping[str, str]) -> Markup:
    """Says in a list why a device is in its state, and since when. On phones only the last of it is shown."""
    is_dated = device.since and device.state in ("alarm", "suspect", "acknowledged", "ok")
    since = language.text("since %(time)s", time=language.when(device.since)) if is_dated and device.since else ""
    taken = _taken_by(language, device, names) if device.state == "acknowledged" else ""
    parts = [part for part in (_why(language, device), since) if part]
    last = taken or (parts.pop() if parts else "")
    first = ", ".join(parts)
    if not first:
        return Markup("{}").format(last)
    return Markup('<span class="lo">{}{} </span>{}').format(first, ";" if taken else ",", last)


def _why(language: Language, device: DeviceView) -> str:
    _ = language.text
    match device.state:
        case "suspect" if device.reason == "chattering":
            return _(REASONS[device.reason])
        case "alarm" | "suspect" | "acknowledged" if device.alarm_probability is not None and device.alarm_label:
            label = label_text(language, device.alarm_label)
            return _("“%(label)s”, probability %(p)s", label=label, p=language.number(device.alarm_probability, 2))
        case "shelved" if device.shelved_until:
            until = _("until %(time)s", time=language.day_and_time(device.shelved_until))
            return f"{until}: {device.reason}" if device.reason else until
        case "unknown" if device.silent_since and device.reason and device.reason in SILENT_WORDS:
            return _(SILENT_WORDS[device.reason], time=language.when(device.silent_since))
        case "unknown":
            return _(REASONS.get(device.reason or "", device.reason or ""))
        case _:
            return ""


def _taken_by(language: Language, device: DeviceView, names: Mapping[str, str]) -> str:
    """Says who acknowledged the alarm, and when."""
    if not device.acknowledged_by or not device.acknowledged_at:
        return ""
    who = named(language, device.acknowledged_by, names)
    return language.text("by %(who)s, %(time)s", who=who, time=language.when(device.acknowledged_at))


def returned(language: Language, event: DeviceEventView, names: Mapping[str, str]) -> str:
    """Says how a device returned to an earlier state, and by whom; empty for any other change."""
    who, _ = named(language, event.by or "", names), language.text
    if (event.before, event.state) == ("acknowledged", "alarm"):
        return _("%(who)s undid the acknowledgment", who=who) if who else _("the acknowledgment was undone")
    if event.before == "shelved" and event.state != "retired":
        return _("%(who)s ended the shelving", who=who) if who else _("the shelving ended")
    if event.before == "retired":
        return _("%(who)s brought it back", who=who) if who else _("it was brought back")
    return ""


def reason_of_change(language: Language, event: DeviceEventView) -> str:
    """Returns why a device changed its state: a person's words of a shelving, or a known reason."""
    is_known = event.state in ("unknown", "suspect") and event.why in REASONS
    return language.text(REASONS[event.why or ""]) if is_known else event.why or ""


def is_told(event: DeviceEventView) -> bool:
    """True if the overview lists a change: not one between OK and suspect, of which only some are recorded."""
    return event.before not in WELL or event.state not in WELL


def device_event(language: Language, event: DeviceEventView, names: Mapping[str, str]) -> Event:
    """Returns a change of a device as a sentence that begins with the device, in every language."""
    return Event(event.at, _told(language, event, names), event.state, event.device_id or "")


def _told(language: Language, event: DeviceEventView, names: Mapping[str, str]) -> str:
    _ = language.text
    if event.device_id is None:
        every = _("All devices")
        pattern = FLEET_EVENTS.get(event.state)
        return f"{every}: {event.state}" if pattern is None else _(pattern, device=every)
    device = event.device_id
    how = returned(language, event, names)
    if event.state == "alarm" and how:
        return _("%(device)s is in alarm again: %(how)s", device=device, how=how)
    if how:
        state = _(STATES.get(event.state, event.state))
        return _("%(device)s: %(how)s; now “%(state)s”", device=device, how=how, state=state)
    if event.state == "suspect" and event.before in STATES:
        return _("%(device)s: no longer “%(state)s”", device=device, state=_(STATES[event.before]))
    pattern = EVENTS.get(event.state)
    text = f"{device}: {event.state}" if pattern is None else _(pattern, device=device)
    if event.by and event.state in ("acknowledged", "shelved", "retired"):
        text += " " + _("by %(who)s", who=named(language, event.by, names))
    return text


def people(services: Services, role: Role) -> dict[str, str]:
    """Returns the names that a role sees for those who acted: `key 4f2a91c0` to its note. Viewers see ids."""
    return {} if role == "viewer" else key_names(services.settings.api.keys_file)


FEATURES: Mapping[str, str] = {
    "lux": _("Lux"),
    "temperature": _("Temperature"),
    "vibration": _("Vibration"),
    "humidity": _("Humidity"),
    "pressure": _("Pressure"),
    "current": _("Current"),
}


def feature_text(language: Language, name: str) -> str:
    """Returns the name of a feature. Common names are translated; others are the site's own words."""
    return language.text(FEATURES[name]) if name in FEATURES else name[:1].upper() + name[1:].replace("_", " ")


def label_text(language: Language, label: Any) -> str:
    """Returns a label. Yes and no are translated; others are the site's own words."""
    if label == "yes":
        return language.text(YES)
    return language.text(NO) if label == "no" else str(label)
