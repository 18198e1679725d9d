"""A store in memory, with a switch for each way in which a write can end badly."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from registry.store import Item, Uncertain


class Crash(BaseException):
    """Simulates the death of the process."""


class Memory:
    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.now = time.time()
        self.crash_before_entry = self.crash_after_entry = self.lose_answer = False

    def create(self, key: str, data: bytes) -> bool:
        if self._once("crash_before_entry", key):
            raise Crash
        created = key not in self.objects
        if created:
            self.objects[key] = (bytes(data), self.now)
        if self._once("crash_after_entry", key):
            raise Crash
        if self._once("lose_answer", key):
            raise Uncertain("the answer was lost")
        return created

    def read(self, key: str) -> bytes | None:
        found = self.objects.get(key)
        return None if found is None else found[0]

    def list(self, prefix: str, after: str = "") -> Iterator[Item]:
        keys = sorted(key for key in self.objects if key.startswith(f"{prefix}/") and key > after)
        return iter([Item(key, self.objects[key][1]) for key in keys])

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        self.objects[key] = (b"".join(pieces), self.now)

    def copy(self, source: str, key: str) -> None:
        self.put_stream(key, [self.objects[source][0]])

    def replace(self, key: str, data: bytes) -> None:
        self.put_stream(key, [data])

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def where(self, key: str) -> str:
        return f"memory/{key}"

    def _once(self, switch: str, key: str) -> bool:
        """True if the switch is on and this is an entry of the log; turns the switch off."""
        on = getattr(self, switch) and key.startswith("log/")
        if on:
            setattr(self, switch, False)
        return on
