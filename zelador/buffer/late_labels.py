"""Labels that came with a repeat of a reading: they are stored beside the stream, because an entry never changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from zelador.buffer.batch import known_by
from zelador.buffer.keys import Keys
from zelador.messages import Reading

LOOKUP_BATCH = 1_000  # readings looked up in one call


class LateLabels:
    """Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._hashes = Keys(prefix).late_labels

    def of(self, readings: Sequence[tuple[str, Reading]]) -> list[str | None]:
        """The label of each reading of a device: its own, or the one that came later."""
        unlabeled = [(i, known_by(device, each)) for i, (device, each) in enumerate(readings) if each.label is None]
        labels = [reading.label for _, reading in readings]
        if not unlabeled or not self._client.exists(*self._hashes):
            return labels
        for at in range(0, len(unlabeled), LOOKUP_BATCH):
            part = unlabeled[at : at + LOOKUP_BATCH]
            with self._client.pipeline(transaction=False) as pipeline:
                for name in self._hashes:
                    pipeline.hmget(name, [known for _, known in part])
                found: list[list[Any]] = pipeline.execute()
            for (i, _), *late in zip(part, *found, strict=True):
                label = next((each for each in late if each is not None), None)
                labels[i] = None if label is None else label.decode()
        return labels
