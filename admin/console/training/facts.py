"""What a run would learn from: the data set of a query, described. Loaded when somebody looks, kept for a while."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import redis

from archive.dataset.cache import Meta
from archive.dataset.description import Description
from operations.views.datasets import DatasetReader
from zelador.errors import ZeladorError

KEPT_S = 900.0
WAIT_S = 2.0  # that a page waits for it
MAX_KEPT = 8  # queries

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """Without a description, it is still being loaded, or `trouble` says in English why it cannot be."""

    meta: Meta | None = None
    description: Description | None = None
    age_s: float = 0.0
    trouble: str = ""

    @property
    def labeled(self) -> int:
        return sum(self.description.classes.values()) if self.description else 0

    @property
    def labels(self) -> tuple[tuple[str, int], ...]:
        """Readings by label, the most frequent first."""
        return tuple(self.description.classes.items()) if self.description else ()


@dataclass(slots=True)
class _Loading:
    """A data set that is being loaded, or was: then `ready` is set."""

    begun: float
    ready: threading.Event = field(default_factory=threading.Event)
    found: Facts = Facts()


class DataFacts:
    """Thread-safe; of several who ask for one data set, one loads it, on a thread of its own."""

    def __init__(
        self, datasets: DatasetReader, wait_s: float = WAIT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._datasets = datasets
        self._wait_s = wait_s
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[str, _Loading] = OrderedDict()

    def look(self, query: Mapping[str, object]) -> Facts:
        """Waits for it, but not for long."""
        key, now = repr(sorted(query.items())), self._clock()
        with self._lock:
            loading = self._found.get(key)
            if loading is None or (loading.ready.is_set() and (loading.found.trouble or now - loading.begun >= KEPT_S)):
                loading = self._found[key] = _Loading(now)
                while len(self._found) > MAX_KEPT:
                    self._found.popitem(last=False)
                thread = threading.Thread(target=self._load, args=(loading, dict(query)), name="facts", daemon=True)
                thread.start()
        if not loading.ready.wait(self._wait_s):
            return Facts()
        found = loading.found
        return Facts(found.meta, found.description, max(0.0, self._clock() - loading.begun), found.trouble)

    def forget(self) -> None:
        """What is being loaded goes on."""
        with self._lock:
            for key in [key for key, loading in self._found.items() if loading.ready.is_set()]:
                del self._found[key]

    def _load(self, loading: _Loading, query: dict[str, object]) -> None:
        try:
            loaded = self._datasets.load(query)
            loading.found = Facts(loaded.meta, loaded.description)
        except ZeladorError as error:
            loading.found = Facts(trouble=str(error))
        except (redis.RedisError, OSError) as error:
            loading.found = Facts(trouble=f"Redis does not answer: {error}")
        except Exception:
            log.exception("the facts of a data set could not be loaded")
            loading.found = Facts(trouble="they could not be read; the admin server wrote why in its log")
        finally:
            loading.ready.set()
