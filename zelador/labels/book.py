"""The list of labels, and what is needed to check a new one: the labels in the list, and the known devices."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import redis

from zelador.buffer.keys import Keys
from zelador.labels.labels import Labels
from zelador.labels.store import LabelStore

NEAR_DEVICES = 10_000  # to compare an unknown name with, in case it is a typo


class LabelBook:
    """Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self.labels = Labels(client, prefix)
        self.store = LabelStore(client, prefix)

    def known_devices(self, named: Collection[str]) -> set[str]:
        """The devices in `named` that have sent something, and those heard most recently."""
        recent: Any = self._client.zrevrange(self._keys.devices, 0, NEAR_DEVICES - 1)
        found = {name.decode("utf-8", "replace") for name in recent}
        others = [name for name in named if name not in found]
        if others:
            scores: Any = self._client.zmscore(self._keys.devices, others)
            found |= {name for name, score in zip(others, scores, strict=True) if score is not None}
        return found
