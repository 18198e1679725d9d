"""Groups messages in quarantine by the kind of their reason. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from admin.console.catalog import mark as _
from zelador.quarantine import QuarantinedMessage
from zelador.quarantine import device_of as named_device

REASONS: Mapping[str, str] = {
    "set-aside": _("Accepted, but not classified"),
    "range": _("Outside the physical range"),
    "missing": _("A feature is missing"),
    "number": _("A value is not a number"),
    "time": _("The time cannot be used"),
    "json": _("Not JSON, or not an object"),
    "large": _("A number is too large"),
    "size": _("Too large"),
    "device": _("No device, or not a usable name"),
    "other": _("Another reason"),
}
PATTERNS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("json", r"^not JSON|^the array is empty|; a reading is an object"),
        ("large", r"\ba number is too large"),
        ("size", r" bytes, more than | bytes; on a topic| readings, more than "),
        ("range", r", outside .+ to "),
        ("missing", r" is missing\b"),
        ("number", r"a number is needed|finite number"),
        ("time", r"^ts\b|^the time\b"),
        ("device", r"names the device|does not name a device|^the device's name|can be published for the device"),
    )
)


@dataclass(frozen=True, slots=True)
class Group:
    """Messages with one kind of reason, among those that were read."""

    name: str
    text: str  # in English
    count: int


def reason_of(entry: QuarantinedMessage) -> str:
    if entry.kind == "set_aside":
        return "set-aside"
    return next((name for name, pattern in PATTERNS if pattern.search(entry.reason)), "other")


def groups(entries: Sequence[QuarantinedMessage]) -> tuple[Group, ...]:
    """Groups the entries, the most frequent reason first."""
    return tuple(Group(name, REASONS[name], count) for name, count in Counter(map(reason_of, entries)).most_common())


def device_of(entry: QuarantinedMessage, topic: str) -> str:
    """Returns the device that the topic names, by its template; else the topic."""
    return named_device(entry, topic) or entry.topic
