"""Applies entries of a log to a draft of its state; the registry and the archive have a log each. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from registry.log.entry import Entry
from zelador.errors import Corrupt


class Draft(Protocol):
    """A mutable state, to which entries are being applied."""

    def commit(self, entry: Entry, digest: str) -> None:
        """Makes `entry`, whose operations were applied, the newest entry; `digest` is that of its file."""


D = TypeVar("D", bound=Draft)
Operations = Mapping[str, Callable[[D, dict[str, Any], Entry], None]]


def apply_all(draft: D, entries: Iterable[tuple[Entry, str]], operations: Operations[D], of: str = "") -> D:
    """Applies `entries`, each with the digest of its file, to `draft`, and returns it.

    `of` names the log in messages. Raises Corrupt for an operation that this version does not know, and whatever the
    operations raise.
    """
    for entry, digest in entries:
        for op in entry.ops:
            apply = operations.get(op.get("op", ""))
            if apply is None:
                raise Corrupt(
                    f"entry {entry.seq}{of} has the operation {op.get('op')!r}, which this version does not know: "
                    "upgrade Zelador"
                )
            apply(draft, op, entry)
        draft.commit(entry, digest)
    return draft
