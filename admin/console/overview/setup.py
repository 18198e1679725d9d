"""The way to the first prediction: what the overview shows while no model is selected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import redis

from admin.console.console import Console
from operations.views.plant import PlantView
from operations.views.stream import Reading
from zelador.ledger import LedgerSnapshot
from zelador.settings import IngestSettings

STEPS = 4  # devices publish, readings are labeled, models are trained, one is selected
LABELS_S = 5.0
ROOM_FROM = 100  # waiting readings: with fewer, their mean size says little


@dataclass(frozen=True, slots=True)
class Setup:
    """`room_s` is how long the buffer takes readings at the present rate; None if that is not known."""

    done: Collection[int]  # numbers of steps
    topic: str  # on which devices publish
    newest: Reading | None
    room_s: float | None

    @property
    def next(self) -> int:
        return next(step for step in range(1, STEPS + 1) if step not in self.done)


def setup(console: Console, now: PlantView, rate: float | None) -> Setup:
    """`rate`: readings a second."""
    settings = console.services.settings
    newest = _newest(console)
    reached = (bool(now.device_count), bool(now.models) or _has_labels(console, now), bool(now.models))
    return Setup(
        frozenset(step for step, is_reached in enumerate(reached, 1) if is_reached),
        settings.topics.reading.format(device_id="DEVICE"),
        newest,
        None if now.ledger is None or not rate else room_s(now.ledger, rate, settings.ingest),
    )


def room_s(ledger: LedgerSnapshot, rate: float, limits: IngestSettings) -> float | None:
    """How long it takes until so many readings wait, or bytes, that the ingester takes no more. Pure."""
    waiting = ledger.ledger.waiting
    if waiting < ROOM_FROM or not ledger.waiting_bytes:
        return None
    mean_bytes = ledger.waiting_bytes / waiting
    room = min(limits.high_water - waiting, (limits.high_water_bytes - ledger.waiting_bytes) / mean_bytes)
    return max(0.0, room / rate)


def _newest(console: Console) -> Reading | None:
    try:
        return next(iter(console.window.readings().values()), None)
    except (redis.RedisError, OSError):
        return None


def _has_labels(console: Console, now: PlantView) -> bool:
    """True if a period is labeled, or the newest readings bring labels."""
    if now.ledger is None:
        return False

    def read() -> bool:
        if console.services.label_views.summary().active:
            return True
        return any(reading["label"] for reading in console.window.readings().values())

    try:
        return console.window.kept.get("has labels", LABELS_S, read)
    except (redis.RedisError, OSError):
        return False
