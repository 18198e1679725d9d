"""Adds labels that devices sent. Each device chooses its own ids: another device or a person may use the same."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import redis

from zelador.buffer.written import Confirmer
from zelador.labels.label import Label
from zelador.labels.labels import Labels
from zelador.labels.store import LabelStore, Outcome


class SentLabels:
    """Every call raises redis.RedisError if Redis does not answer, or cannot write; the call may then be repeated."""

    def __init__(self, client: redis.Redis, prefix: str, confirmer: Confirmer | None = None) -> None:
        self._store = LabelStore(client, prefix, confirmer)
        self._labels = Labels(client, prefix)

    def add(self, labels: Sequence[Label]) -> list[Outcome]:
        """Adds labels like LabelStore.add. If someone else's label has the id, the device's name is put before it."""
        outcomes = self._store.add(labels)
        taken = [place for place, outcome in enumerate(outcomes) if outcome == "other"]
        if taken:
            owners = {each.id: each for each in self._labels.snapshot().labels}
            for place in taken:
                label, owner = labels[place], owners.get(labels[place].id)
                if owner is None or owner.device != label.device or owner.source != "mqtt":
                    own = msgspec.structs.replace(label, id=f"{label.device}:{label.id}")
                    (outcomes[place],) = self._store.add([own])
        return outcomes
