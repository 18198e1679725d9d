"""Devices that send repeats, as lua/repeats.lua records them."""

from __future__ import annotations

from typing import Any, NamedTuple

import redis

from zelador.buffer.keys import Keys

LEAST = 20  # with fewer readings of a device, its share of repeats means nothing


class Repeats(NamedTuple):
    """The number of repeats among the last `of` readings of a device."""

    repeated: int
    of: int

    @property
    def are_most(self) -> bool:
        return self.of >= LEAST and 2 * self.repeated > self.of


def repeats_in(window: bytes) -> Repeats:
    """Counts the repeats in a text of 0 and 1. `window` is None for a device without repeats."""
    return Repeats(window.count(b"1"), len(window))


def repeating_devices(client: redis.Redis, prefix: str) -> dict[str, Repeats]:
    """The devices that have repeats among their last readings, at most 1,000. Raises redis.RedisError."""
    found: Any = client.hgetall(Keys(prefix).repeating)
    return {name.decode("utf-8", "replace"): repeats_in(window) for name, window in found.items()}
