"""What can go wrong with the registry, by what the caller does about it."""

from __future__ import annotations

from zelador import errors


class ModelNotFound(errors.NotFound, FileNotFoundError):
    """No model of that name, or its files are gone."""

    def __str__(self) -> str:  # OSError's own would be empty
        return str(self.args[0]) if self.args else ""


class DuplicateName(errors.Conflict, ValueError):
    """The name is taken; a registered model is never overwritten."""


class ModelSelected(errors.Conflict):
    """The selected model can be neither deleted nor renamed."""


class Moved(errors.Conflict):
    """The registry is not as the caller last saw it (If-Match)."""


class Condemned(errors.Conflict):
    """The upload was given up by a collection before it was registered: upload it anew."""


class TypeRefused(errors.InvalidInput):
    """The object holds a type that is not on our allow-list."""


class ArchiveRefused(errors.InvalidInput):
    """The archive is not a model as it is exported, or holds what would be refused at load."""


class Replaced(errors.Corrupt):
    """The log is not the one that was read before: restored, cut short, or another registry's."""


class ModelRefused(errors.Corrupt):
    """The artefact cannot be trusted, or does not answer its golden rows."""


class Unknown(errors.Unavailable):
    """Whether the change was made cannot be told; the commit id in the message tells it later."""
