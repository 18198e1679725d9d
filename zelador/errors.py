"""Base classes of all errors, by how a boundary (CLI, API, loop) handles them. Packages derive theirs from these."""

from __future__ import annotations


class ZeladorError(Exception):
    """Base of all Zelador errors. The message says what was wrong and what to do."""


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
