"""Describes the data set from which a run would learn. It is loaded when a page needs it, and kept for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from archive.dataset.cache import Meta
from archive.dataset.description import Description
from operations.views.datasets import DatasetReader
from zelador.errors import Corrupt, InvalidInput, Unavailable

KEPT_S = 900.0
MAX_KEPT = 8  # queries


@dataclass(frozen=True, slots=True)
class Facts:
    """The description of a data set. `trouble` says why nothing could be loaded, in English."""

    meta: Meta | None
    description: Description | None
    age_s: float
    trouble: str = ""

    @property
    def labeled(self) -> int:
        return sum(self.description.classes.values()) if self.description else 0

    @property
    def labels(self) -> tuple[tuple[str, int], ...]:
        """The number of readings by label, the most frequent first."""
        return tuple(self.description.classes.items()) if self.description else ()


class DataFacts:
    """Loads and keeps descriptions. Thread-safe; each data set is loaded only once at a time."""

    def __init__(self, datasets: DatasetReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._datasets = datasets
        self._clock = clock
        self._lock = Lock()
        self._found: OrderedDict[str, tuple[float, Facts]] = OrderedDict()

    def look(self, query: Mapping[str, object]) -> Facts:
        """Returns the description of a query's data set, loaded at most KEPT_S ago. Raises redis.RedisError."""
        key = repr(sorted(query.items()))
        with self._lock:
            at, found = self._found.get(key, (0.0, None))
            if found is None or self._clock() - at >= KEPT_S:
                found = self._load(query)
                at = self._clock()
                if found.trouble:
                    return found
                self._found[key] = at, found
                while len(self._found) > MAX_KEPT:
                    self._found.popitem(last=False)
            return Facts(found.meta, found.description, self._clock() - at)

    def forget(self) -> None:
        with self._lock:
            self._found.clear()

    def _load(self, query: Mapping[str, object]) -> Facts:
        try:
            loaded = self._datasets.load(dict(query))
        except (InvalidInput, Unavailable, Corrupt) as error:
            return Facts(None, None, 0.0, str(error))
        return Facts(loaded.meta, loaded.description, 0.0)
