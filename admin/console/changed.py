"""Says who changed the registry last, to a person whose own change came too late."""

from __future__ import annotations

from itertools import islice

from admin.console.console import Console
from admin.console.language import Language
from admin.console.words import Event, people, sentence
from operations.key_file import Role
from operations.views.audit import KINDS

SEARCHED = 200  # newest entries of the audit log
ACTS = (*KINDS["selections"], *KINDS["models"])


def last_change(console: Console, language: Language, role: Role) -> Event | None:
    """Returns the newest change of a model or of the selection; None if none was recorded lately."""
    names = people(console.services, role)
    for entry in islice(console.services.audit.newest(), SEARCHED):
        if entry.what in ACTS:
            return Event(entry.at, sentence(language, names, entry))
    return None
