"""Adds labels to the list in Redis and undoes them. Nothing is ever deleted from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import redis

from zelador.buffer.keys import Keys
from zelador.buffer.library import Library
from zelador.buffer.written import Confirmer
from zelador.labels.label import Label, Undone

MAX_LABELS = 30_000
MAX_BYTES = 16_777_216  # of all labels, with OVERHEAD for each
MAX_DEVICES_BYTES = MAX_BYTES // 2  # of those that devices have sent
MAX_DEVICE_BYTES = MAX_BYTES // 20  # of those that one device has sent
OVERHEAD = 400  # bytes of a label's place in the index, and of its undoing, which must always be possible

Outcome = Literal["added", "known", "undone", "other", "full"]


class LabelStore:
    """Every call raises redis.RedisError if Redis does not answer, or cannot write; the call may then be repeated."""

    def __init__(self, client: redis.Redis, prefix: str, confirmer: Confirmer | None = None) -> None:
        keys = Keys(prefix)
        self._names = [keys.labels, keys.labels_index]
        self._library = Library(client)
        self._confirmer = confirmer or Confirmer(client)

    def add(self, labels: Sequence[Label], *, whole: bool = False) -> list[Outcome]:
        """The outcome for each label, in order. When it returns, Redis has written them.

        known: it is in the list already; undone: it was, and was undone; other: its id has another content; full: the
        list has no room. With `whole`, one that is `other` or `full` prevents all from being added.
        """
        bounds = (MAX_LABELS, MAX_BYTES, MAX_DEVICES_BYTES, MAX_DEVICE_BYTES, OVERHEAD)
        arguments: list[Any] = ["whole" if whole else "each", *bounds]
        for label in labels:
            sender = label.device if label.source == "mqtt" else ""
            arguments += (label.id, label.content, sender, msgspec.json.encode(label))
        *outcomes, written = self._library.call("label", self._names, arguments)
        self._confirmer.confirm(written)
        return [outcome.decode() for outcome in outcomes]

    def undo(self, label: str, by: str, at: int) -> Literal["undone", "already", "absent"]:
        """Undoes a label. When it returns, Redis has written it."""
        entry = msgspec.json.encode(Undone(label, by, at))
        outcome, written = self._library.call("unlabel", self._names, [label, entry])
        self._confirmer.confirm(written)
        found: Literal["undone", "already", "absent"] = outcome.decode()
        return found
