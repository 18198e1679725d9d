"""The registry's errors, grouped by what the caller has to do about them."""

from __future__ import annotations

from zelador import errors


class ModelNotFound(errors.NotFound, FileNotFoundError):
    """No model has that name, or its files are missing."""

    def __str__(self) -> str:  # OSError's own __str__ would return ""
        return str(self.args[0]) if self.args else ""


class DuplicateName(errors.Conflict, ValueError):
    """The name is taken; a registered model is never overwritten."""


class FeaturesMissing(errors.Conflict):
    """The plant does not send every feature that the model needs."""


class ModelSelected(errors.Conflict):
    """The selected model can be neither deleted nor renamed."""


class ChangedMeanwhile(errors.Conflict):
    """The registry changed after the caller read it (If-Match)."""


class UploadCollected(errors.Conflict):
    """A collection condemned the upload before it was registered: upload it again."""


class TypeRefused(errors.InvalidInput):
    """The object contains a type that is not on the allow-list."""


class BundleRefused(errors.InvalidInput):
    """The bundle is not a model, or contains something that loading would refuse."""


class LogReplaced(errors.Corrupt):
    """The log is not the one read earlier: it was restored, truncated, or replaced by that of another registry."""


class ModelRefused(errors.Corrupt):
    """The artifact cannot be trusted, or does not reproduce its golden rows."""


class OutcomeUnknown(errors.Unavailable):
    """The outcome of a change is unknown. The commit id in the message can be looked up in the log later."""
