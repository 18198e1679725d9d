"""Base classes of all errors, by how a boundary (CLI, API, loop) handles them. Packages derive theirs from these."""

from __future__ import annotations


class ZeladorError(Exception):
    """Base of all Zelador errors. The message says what was wrong and what to do.

    `field` is the field of a form or body that caused it; empty if none did, or if the message begins with "field: ".
    """

    def __init__(self, *args: object, field: str = "") -> None:
        super().__init__(*args)
        self.field = field


class InvalidInput(ZeladorError, ValueError):
    """The input cannot be used: correct it and try again."""


class NotFound(ZeladorError):
    """The requested object does not exist."""


class Conflict(ZeladorError):
    """The request is valid, but the current state does not allow it."""


class Corrupt(ZeladorError):
    """Stored data is damaged: it differs from what was written."""


class Unavailable(ZeladorError):
    """A server or a folder cannot be used now. Nothing was lost."""
