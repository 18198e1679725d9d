"""The classes of the plant, and the words that the console shows for two of them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping

import msgspec

from zelador.labels.rules import USUAL, Wish

SHOWN: Mapping[str, str] = {"sim": "yes", "não": "no", "nao": "no"}  # what the console shows, to the class


def in_classes_of(wish: Wish, classes: Collection[str]) -> tuple[Wish, str]:
    """The wish in the plant's own classes, and the word that was read as one of them; empty if none was."""
    if not isinstance(wish.label, str):
        return wish, ""
    word = unicodedata.normalize("NFC", wish.label.strip())
    meant = SHOWN.get(word.casefold())
    known = USUAL.union(classes) if USUAL.issuperset(classes) else classes
    if meant is None or meant not in known or word in known:
        return wish, ""
    return msgspec.structs.replace(wish, label=meant), word
