"""The label of a reading: a label of a period, else the one in its message, else the one that a repeat of it had."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from zelador.buffer.late_labels import LateLabels
from zelador.labels.labels import Labels
from zelador.messages import Reading


class KnownLabels:
    """Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._sent = LateLabels(client, prefix)
        self._given = Labels(client, prefix)

    def of(self, readings: Sequence[tuple[str, Reading]]) -> list[str | None]:
        """The label of each reading of a device."""
        return self._given.of(readings, self.sent(readings))

    def sent(self, readings: Sequence[tuple[str, Reading]]) -> list[str | None]:
        """The label that the device sent with each reading. A label of a period takes precedence over it."""
        return self._sent.of(readings)
