"""Loaded data sets: the query, the result, and whether it came from the cache."""

from __future__ import annotations

import time
from threading import Lock
from typing import Annotated, Any, Literal, NamedTuple, cast

import msgspec
import redis
from pydantic import Field
from typing_extensions import TypedDict

from archive.dataset.cache import Cache
from archive.dataset.fewest import DRAWN_HOLDOUT, FOLDS, fewest_rows
from archive.dataset.load import Loaded, archive_of, find, load
from archive.dataset.query import query_of
from operations.views.dataset_description import DescriptionView
from zelador.buffer import history
from zelador.buffer.keys import Keys
from zelador.errors import NotFound, Unavailable
from zelador.labels import past
from zelador.messages import iso
from zelador.settings import Settings

WAIT_S = 60.0  # for others who load a data set


class DatasetView(TypedDict):
    """A data set that was loaded. The rows that a run trains on are drawn from its labeled readings."""

    id: Annotated[str, Field(description="The data set's id, while it is cached.")]
    query: Annotated[
        dict[str, Any],
        Field(description="The query; with its `labels_at` and `arrived_to` it gives the same data set again."),
    ]
    source: Annotated[str, Field(description="Source of the readings.")]
    digest: Annotated[str, Field(description="SHA-256 of the rows to train on.")]
    rows: Annotated[int, Field(description="Number of these rows.")]
    labeled: Annotated[int, Field(description="Number of labeled readings that they were drawn from.")]
    classes: Annotated[dict[str, int], Field(description="The rows by label.")]
    features: Annotated[list[str], Field(description="The features, in their order.")]
    notes: Annotated[list[str], Field(description="What was left out, and why.")]
    cache: Annotated[
        Literal["hit", "miss"], Field(description="hit: it was in the cache; miss: it was loaded for this request.")
    ]
    age_s: Annotated[float, Field(description="Seconds since it was loaded.")]
    loaded_at: Annotated[str, Field(description="When it was loaded; ISO 8601, UTC.")]
    seconds: Annotated[float, Field(description="How long loading took, in seconds.")]


class CachedView(DatasetView):
    """A data set in the cache."""

    bytes: Annotated[int, Field(description="Size on disk.")]
    described: Annotated[bool, Field(description="True if its description is cached too.")]


class DataMark(NamedTuple):
    """Changes when the data does: `labels` with each label that is added or undone, `readings` with each reading."""

    labels: tuple[object, ...]
    readings: object


class DatasetReader:
    """Loads and describes data sets, one at a time: each may take as much memory as the settings allow."""

    def __init__(self, settings: Settings, client: redis.Redis, quick: redis.Redis) -> None:
        """`client` may wait for as long as a load needs; `quick` asks what a page waits for."""
        self._settings = settings
        self._client = client
        self._quick = quick
        self._lock = Lock()

    def load(self, asked: dict[str, object]) -> Loaded:
        """Loads a data set. Raises InvalidInput, Corrupt, Unavailable (also while others load), redis.RedisError."""
        query = query_of(default_query(self._settings) | asked, self._settings)
        if not self._lock.acquire(timeout=WAIT_S):
            raise Unavailable("other data sets are being loaded; try again later")
        try:
            return load(self._client, self._settings, query, archive_of(self._settings), described=True)
        finally:
            self._lock.release()

    def mark(self) -> DataMark:
        """What identifies the labels and the readings so far. Raises redis.RedisError."""
        prefix = self._settings.redis.prefix
        late = [int(self._quick.hlen(name)) for name in Keys(prefix).late_labels]
        return DataMark((past.last_entry(self._quick, prefix), *late), history.bounds(self._quick, prefix))

    def find(self, id_: str) -> Loaded:
        """A cached data set, with its description. Raises NotFound."""
        found = find(self._settings, id_)
        if found is None or found.description is None:
            raise NotFound(
                f"there is no data set {id_[:40]!r} any more, or it was not described; ask for it with "
                "POST /v1/datasets"
            )
        return found


def description_of(loaded: Loaded) -> DescriptionView:
    return cast(DescriptionView, msgspec.to_builtins(loaded.description))


def shown(loaded: Loaded) -> DatasetView:
    meta = loaded.meta
    return {
        "id": meta.id,
        "query": meta.query,
        "source": meta.source,
        "digest": meta.digest,
        "rows": meta.rows,
        "labeled": meta.labeled,
        "classes": meta.classes,
        "features": list(meta.features),
        "notes": list(meta.notes),
        "cache": "miss" if loaded.age_s is None else "hit",
        "age_s": loaded.age_s or 0.0,
        "loaded_at": iso(int(meta.at * 1000)),
        "seconds": meta.seconds,
    }


def cached(settings: Settings) -> list[CachedView]:
    """The data sets that are kept, the newest first."""
    found: list[CachedView] = []
    for each in Cache(settings.datasets).list():
        age = round(time.time() - each.meta.at, 1)
        view = shown(Loaded(each.meta, None, None, age))
        found.append({**view, "bytes": each.bytes, "described": each.described})
    return found


def default_query(settings: Settings) -> dict[str, object]:
    """The default query of a run: the number of rows, and the least number of each class."""
    training = settings.training
    fewest = fewest_rows(training.folds or FOLDS, training.holdout or DRAWN_HOLDOUT)
    return {"cap": training.max_rows, "fewest": fewest}
