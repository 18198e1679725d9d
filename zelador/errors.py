"""The kinds of error that a boundary (CLI, API, loop) tells apart; each package derives its own from these."""

from __future__ import annotations


class ZeladorError(Exception):
    """Base of all our errors; the message says what was wrong and what to do."""


class InvalidInput(ZeladorError, ValueError):
    """What was given cannot be used: mend it and try again."""


class NotFound(ZeladorError):
    """What was asked for is not there."""


class Conflict(ZeladorError):
    """The request is fine, the present state does not allow it."""


class Corrupt(ZeladorError):
    """Stored data is not what was written."""


class Unavailable(ZeladorError):
    """A server or a folder cannot be used now; nothing was lost by it."""
