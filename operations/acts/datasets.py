"""Remove loaded data sets."""

from __future__ import annotations

from archive.dataset.cache import Cache
from operations.actor import Actor
from operations.audit import Act
from zelador.errors import NotFound
from zelador.settings import Settings


def drop(actor: Actor, settings: Settings, dataset: str) -> None:
    """Removes a data set that is kept; it is loaded again when somebody asks for it. Raises NotFound, Unavailable."""
    cache = Cache(settings.datasets)
    found = cache.find(dataset)
    cache.drop(dataset)
    before = None if found is None else {"query": found.query, "rows": found.rows, "digest": found.digest}
    actor.record(Act.DATASET_DROPPED, dataset, before)


def drop_all(actor: Actor, settings: Settings) -> int:
    """Removes all that are kept; returns their number. Raises Unavailable."""
    dropped = 0
    for each in Cache(settings.datasets).list():
        try:
            drop(actor, settings, each.meta.id)
        except NotFound:  # it became too old, or somebody else was faster
            continue
        dropped += 1
    return dropped
