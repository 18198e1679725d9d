"""Texts for the catalog, and the translation of English messages of the product."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from admin.console.language import Language


def mark(text: str) -> str:
    """Marks a text for the catalog, as `_`; it is translated when it is shown."""
    return text


class Plural(NamedTuple):
    """A text for one and for any other number of the part that is named `by`."""

    one: str
    other: str
    by: str


def plural(one: str, other: str, by: str) -> Plural:
    """Marks both texts for the catalog."""
    return Plural(one, other, by)


def quoted(part: str) -> str:
    """Returns a part of a message with the marks of a reader, if it has those of a program around it."""
    found = re.fullmatch(r"'([^']*)'|\"([^\"]*)\"", part)
    return part if found is None else f"“{found[1] or found[2] or ''}”"


class Messages:
    """Messages that the product writes in English, each by a pattern of the whole message, with its translation."""

    def __init__(self, texts: Mapping[str, str | Plural]) -> None:
        self._patterns = tuple((re.compile(pattern), text) for pattern, text in texts.items())

    def translated(self, language: Language, message: str, shown: Callable[[str, str], str]) -> str:
        """Returns the message in the reader's language; empty for an unknown one.

        `shown` gets the name and the text of a part of the message, and returns the part as the reader writes it.
        """
        for pattern, text in self._patterns:
            if found := pattern.fullmatch(message):
                values = {name: shown(name, part) for name, part in found.groupdict("").items()}
                if isinstance(text, str):
                    return language.text(text, **values)
                return language.counted(text.one, text.other, int(found[text.by]), **values)
        return ""
