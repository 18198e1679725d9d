"""Says in words what a form does, and what a person typed and chose in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import unquote

from babel.dates import format_date

from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.sent import TYPED, Sent
from admin.console.words import label_text

DEEDS: Mapping[str, str] = {  # address of a form, with the name of its object in place of "*", to what it does
    "devices/*/acknowledge": _("Acknowledge the alarm of %(name)s"),
    "devices/*/unacknowledge": _("Undo the acknowledgment of %(name)s"),
    "devices/*/shelve": _("Shelve %(name)s"),
    "devices/*/unshelve": _("Unshelve %(name)s"),
    "devices/*/retire": _("Retire %(name)s"),
    "devices/*/restore": _("Bring %(name)s back"),
    "alarms/acknowledge": _("Acknowledge alarms"),
    "alarms/unacknowledge": _("Undo acknowledgments"),
    "labels": _("Add a label"),
    "labels/undo": _("Undo a label"),
    "labels/redo": _("Restore a label"),
    "labels/undo-import": _("Undo an import of labels"),
    "labels/import/*": _("Import labels"),
    "models/*/select": _("Select %(name)s"),
    "models/*/notes": _("Save the notes of %(name)s"),
    "models/*/delete": _("Delete %(name)s"),
    "rollback": _("Roll back"),
    "training": _("Start training"),
    "training/again": _("Load the readings again"),
    "runs/*/cancel": _("Cancel run %(name)s"),
    "runs/*/finish": _("Finish run %(name)s early"),
    "runs/*/save": _("Save models of run %(name)s"),
    "quarantine-replay": _("Replay messages from quarantine"),
    "quarantine/*/replay": _("Replay a message from quarantine"),
    "quarantine/*/discard": _("Discard a message from quarantine"),
    "classify": _("Classify by hand"),
    "keys": _("Make a key"),
    "keys/*/revoke": _("Revoke a key"),
}
NAMES: Mapping[str, str] = {  # fields that a person types or chooses, with their names
    "device": _("Device"), "devices": _("Devices"), "from": _("From"), "to": _("To"), "open": _("To"),
    "hours": _("Until"), "until": _("Until"), "label": _("Label"), "other": _("Another label"), "note": _("Note"),
    "notes": _("Notes"), "why": _("Reason"), "description": _("Description"), "tags": _("Tags"), "name": _("Name"),
    "save": _("When it ends"), "role": _("Role"), "lasts": _("Ends"), "split": _("Split"), "metric": _("Rank by"),
    "positive": _("Positive class"), "cost_missed": _("Cost of a missed reading"),
    "cost_false_alarm": _("Cost of a false alarm"), "recall": _("Or find at least, %%"),
    "tune": _("Tune the best three for, min"), "budget": _("Compare for at most, min"), "candidates": _("Candidates"),
    "more": _("Also"), "force": _("All the same"),
}  # fmt: skip
CHOICES: Mapping[str, Mapping[str, str]] = {
    "open": {"": "", "yes": _("Until further notice")},
    "role": {"viewer": _("viewer"), "operator": _("operator"), "admin": _("admin")},
    "lasts": {"90d": _("after 90 days"), "1y": _("after a year"), "never": _("never")},
    "split": {
        "auto": _("Automatic: new devices and later days"), "device": _("New devices only"),
        "time": _("Later days only"), "random": _("At random"),
    },
    "save": {
        "": _("Choose then which to save"), "first": _("Save the best one"), "all": _("Save all of the best five"),
    },
    "more": {
        "blend": _("Also try the mean of the best three"), "stack": _("Also try a model on top of the best three"),
        "balance": _("Repeat readings of rare classes"),
    },
    "force": {"yes": _("yes")},
}  # fmt: skip
LABELS = ("label", "positive")
NUMBERED = re.compile(r"(name|note)(\d{1,2})")  # the fields of one of several candidates


def deed(language: Language, action: str) -> str:
    """Returns what the form at an address does; empty for an unknown one."""
    parts = action.removeprefix("/console/").split("/")
    for address, text in DEEDS.items():
        wanted = address.split("/")
        if len(wanted) == len(parts) and all(each in ("*", part) for each, part in zip(wanted, parts, strict=True)):
            return language.text(text, name=unquote(parts[1])) if "%(name)s" in text else language.text(text)
    return ""


def typed(language: Language, sent: Sent) -> list[tuple[str, str]]:
    """Returns what a person typed or chose, by the names of the fields; not what the page itself put into the form."""
    return list(_typed(language, sent))


def _typed(language: Language, sent: Sent) -> Iterator[tuple[str, str]]:
    fields = sent.fields
    unused = {"hours"} if any(fields.get("until", ())) else set()  # another time was typed
    unused |= {"to"} if any(fields.get("open", ())) else set()
    for name, values in fields.items():
        numbered = NUMBERED.fullmatch(name)
        known = NAMES.get(numbered[1] if numbered else name)
        if known is None or name in unused or (numbered and numbered[2] not in fields.get("keep", (numbered[2],))):
            continue
        title = language.text(known).replace("%%", "%") + (f" {numbered[2]}" if numbered else "")
        for value in values:
            if text := _value(language, name, value):
                yield title, text


def _value(language: Language, name: str, value: str) -> str:
    if (choices := CHOICES.get(name)) is not None and value in choices:
        return language.text(choices[value]) if choices[value] else ""
    if name in LABELS:
        return label_text(language, value)
    if name == "hours":
        return f"{value} h"
    if name in ("from", "to", "until") and any(re.fullmatch(shape, value) for shape in TYPED.values()):
        return _moment(language, value)
    return value


def _moment(language: Language, value: str) -> str:
    """Formats a local time or a day as it is shown elsewhere; one that does not exist stays as it was typed."""
    try:
        local = datetime.fromisoformat(value)
    except ValueError:
        return value
    if "T" not in value:
        return str(format_date(local, locale=language.locale))
    seconds = f":{local.second:02d}" if local.second else ""
    return language.day_and_time(local.replace(tzinfo=language.zone)) + seconds
