"""Replay or discard messages in quarantine."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from operations.actor import Actor
from operations.audit import Act
from zelador.errors import NotFound
from zelador.quarantine import Kind, Outcome, Quarantine, Replay, described

ALL = "all"


def replay(actor: Actor, quarantine: Quarantine, entry: str) -> Replay:
    """Processes one message again with the current settings. Raises NotFound, InvalidInput, Unavailable."""
    actor.check()
    device = quarantine.device_of(quarantine.get(entry))
    done = quarantine.replay(entry)
    facts = {"outcome": done.outcome, "readings": done.readings, **({"device": device} if device else {})}
    actor.record(Act.QUARANTINE_REPLAYED, entry, None, facts)
    return done


def replay_many(
    actor: Actor,
    quarantine: Quarantine,
    entries: Sequence[str] | None,
    kind: Kind | None = None,
    heard: Callable[[Replay], None] = lambda _: None,
) -> Counter[Outcome]:
    """Replays `entries`, or all of `kind` (None: all); returns the number of messages by outcome.

    `heard` is called with each result. Raises InvalidInput, Unavailable.
    """
    actor.check()
    each: Iterable[Replay]
    each = quarantine.replay_all(kind) if entries is None else (_replay(quarantine, entry) for entry in entries)
    outcomes: Counter[Outcome] = Counter()
    with _recorded(actor, Act.QUARANTINE_REPLAYED, entries, outcomes):
        for done in each:
            outcomes[done.outcome] += 1
            heard(done)
    return outcomes


def discard(actor: Actor, quarantine: Quarantine, entry: str) -> None:
    """Deletes one message for good; the audit log describes it. Raises NotFound, InvalidInput, Unavailable."""
    kept = quarantine.get(entry)
    device = quarantine.device_of(kept)
    actor.check()
    if not quarantine.discard(entry):
        raise NotFound(f"there is no message {entry} in quarantine")
    actor.record(Act.QUARANTINE_DISCARDED, entry, described(kept), {"device": device} if device else None)


def discard_many(actor: Actor, quarantine: Quarantine, entries: Sequence[str] | None, kind: Kind | None = None) -> int:
    """Discards `entries`, or all of `kind` (None: all); returns their number. Raises InvalidInput, Unavailable."""
    actor.check()
    counts: Counter[str] = Counter(entries=0)
    with _recorded(actor, Act.QUARANTINE_DISCARDED, entries, counts):
        for count in quarantine.discarding_all(kind) if entries is None else quarantine.discarding(entries):
            counts["entries"] += count
    return counts["entries"]


@contextlib.contextmanager
def _recorded(actor: Actor, act: Act, entries: Sequence[str] | None, counts: Mapping[Any, int]) -> Iterator[None]:
    """Records what was done, if anything; also if Redis stopped answering in between."""
    try:
        yield
    except BaseException:
        if any(counts.values()):
            actor.record(act, _target(entries), None, {**counts, "interrupted": True})
        raise
    if any(counts.values()):
        actor.record(act, _target(entries), None, dict(counts))


def _replay(quarantine: Quarantine, entry: str) -> Replay:
    try:
        return quarantine.replay(entry)
    except NotFound:
        return Replay(entry, "gone")


def _target(entries: Sequence[str] | None) -> str:
    return ALL if entries is None else ", ".join(entries)
