"""The author of a change as the reader sees it: a person, a key, or the trainer; and through what it came."""

from __future__ import annotations

import re
from collections.abc import Mapping

from admin.console.catalog import Messages, Plural, plural
from admin.console.catalog import mark as _
from admin.console.language import Language

VIA = re.compile(r"(?P<name>.+?) \((?P<via>.+)\)")  # an author, as operations.actor writes it
UNNAMED = re.compile(r"key (?P<id>[0-9a-f]{8})")  # as admin.access.identity writes it
KEY = _("key %(id)s")
ORIGINS: Mapping[str, str | Plural] = {  # what a change came through, and why the trainer started a run
    r"command line": _("command line"),
    r"run (?P<run>\S+)": _("run %(run)s"),
    r"the schedule \((?P<slot>.+)\)": _("the schedule (%(slot)s)"),
    r"(?P<count>\d+) readings? labeled since the last run": plural(
        "1 reading labeled since the last run", "%(count)s readings labeled since the last run", "count"
    ),
}
ORIGIN_MESSAGES = Messages(ORIGINS)
STARTED_BY = "started by "  # begins the notes of a run that the trainer started
STARTED = _("started by %(why)s")


def named(language: Language, who: str, names: Mapping[str, str]) -> str:
    """Returns the author of a change, without the way in which it came."""
    if who in names:
        return names[who]
    if key := UNNAMED.fullmatch(who):
        return language.text(KEY, id=key["id"])
    found = VIA.fullmatch(who)
    return named(language, found["name"], names) if found else who


def person(language: Language, who: str, names: Mapping[str, str]) -> str:
    """Returns the author of a change, and the way in which it came, if that is known."""
    found = None if who in names else VIA.fullmatch(who)
    name = named(language, who, names)
    return name if found is None else f"{name} ({origin(language, found['via'])})"


def origin(language: Language, via: str) -> str:
    """Translates what a change came through; an unknown one stays as it is."""
    return ORIGIN_MESSAGES.translated(language, via, _part) or via


def run_notes(language: Language, notes: str) -> str:
    """Returns the notes of a run; translated, if the trainer wrote them."""
    why = notes.removeprefix(STARTED_BY)
    known = ORIGIN_MESSAGES.translated(language, why, _part) if why != notes else ""
    return language.text(STARTED, why=known) if known else notes


def _part(_name: str, part: str) -> str:
    return part
