"""Texts for the catalog, and the translation of English messages of the product."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from admin.console.language import Language


def mark(text: str) -> str:
    """Marks a text for the catalog, as `_`; it is translated when it is shown."""
    return text


def quoted(part: str) -> str:
    """Returns a part of a message with the marks of a reader, if it has those of a program around it."""
    found = re.fullmatch(r"'([^']*)'|\"([^\"]*)\"", part)
    return part if found is None else f"“{found[1] or found[2] or ''}”"


class Messages:
    """Messages that the product writes in English, each by a pattern of the whole message, with its translation."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._patterns = tuple((re.compile(pattern), text) for pattern, text in texts.items())

    def translated(self, language: Language, message: str, shown: Callable[[str, str], str]) -> str:
        """Returns the message in the reader's language; empty for an unknown one.

        `shown` gets the name and the text of a part of the message, and returns the part as the reader writes it.
        """
        for pattern, text in self._patterns:
            if found := pattern.fullmatch(message):
                return language.text(text, **{name: shown(name, part) for name, part in found.groupdict("").items()})
        return ""
