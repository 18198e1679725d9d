"""Labels that are given after the fact, to a period of a device. They are joined to readings when these are read."""

from zelador.labels.label import Label, Source, Undone, digest_of
from zelador.labels.labels import Labels, Snapshot
from zelador.labels.store import LabelStore

__all__ = ["Label", "LabelStore", "Labels", "Snapshot", "Source", "Undone", "digest_of"]
