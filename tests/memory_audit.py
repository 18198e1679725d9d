"""An audit log in memory, for tests of what is recorded and of what happens if it cannot be."""

from __future__ import annotations

from typing import Any

from operations.audit_entry import ActRecord
from zelador.errors import Unavailable


class MemoryAudit:
    """Refuses the first acts, as many as `refusals`."""

    def __init__(self, refusals: int = 0) -> None:
        self.acts = list[tuple[str, str, str, Any]]()  # who, what, target, after
        self._refusals = refusals

    def check(self) -> None: ...

    def add(self, record: ActRecord) -> None:
        if self._refusals:
            self._refusals -= 1
            raise Unavailable("it was done, but not recorded")
        self.acts.append((record.who, record.what, record.target, record.after))
