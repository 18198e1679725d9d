"""A label of a period, as it is stored, and its id."""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import msgspec

Source = Literal["command line", "api", "console", "import", "mqtt"]
SOURCES: tuple[Source, ...] = get_args(Source)
ID_DIGITS = 24  # hexadecimal digits of a default id


class Label(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A label of one device from `begin` up to but not including `end`, in measured time (ms since 1970 UTC).

    `end` is None until further notice. `at` is when it was added.
    """

    id: str
    device: str
    begin: int
    end: int | None
    label: str
    note: str = ""
    by: str = ""
    at: int = 0
    source: Source = "command line"

    def covers(self, moment: int) -> bool:
        return self.begin <= moment and (self.end is None or moment < self.end)

    def is_of_import(self, at: int, by: str) -> bool:
        """True if it belongs to the import that `by` made at the time `at`."""
        return self.source == "import" and (self.at, self.by) == (at, by)

    @property
    def says(self) -> tuple[str, int, int | None, str, str]:
        """What the label says, without its id, and who added it when."""
        return self.device, self.begin, self.end, self.label, self.note

    @property
    def content(self) -> str:
        """A digest of what the label says. Two labels with one id are the same if their digests are."""
        return digest_of(*self.says)


class Undone(msgspec.Struct, frozen=True, gc=False):
    """Who undid the label with this id, and when."""

    id: str
    by: str
    at: int


def digest_of(device: str, begin: int, end: int | None, label: str, note: str) -> str:
    """The id for a label that was given without one. Equal labels get equal ids."""
    said = msgspec.json.encode((device, begin, end, label, note))
    return hashlib.sha256(said).hexdigest()[:ID_DIGITS]


def again(id_: str, times: int) -> str:
    """The id for a label that was undone and is added again."""
    return f"{id_}.{times + 1}"
