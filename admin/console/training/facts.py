"""Describes what a run would learn from: the data set of a query, loaded on request and again when it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import redis

from archive.dataset.cache import Meta
from archive.dataset.description import Description
from operations.views.datasets import DataMark, DatasetReader
from zelador.errors import ZeladorError

KEPT_S = 900.0
WAIT_S = 2.0  # that a page waits for the description
LABELS_S, READINGS_S = 2.0, 60.0  # that a description is kept after labels, or only readings, have changed
LABELS_TIMES, READINGS_TIMES = 3.0, 20.0  # or this many times as long as it took, if that is longer
MAX_KEPT = 8  # queries

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Facts:
    """A description; None while it is being loaded, or if `trouble` says (in English) why it cannot be."""

    meta: Meta | None = None
    description: Description | None = None
    age_s: float = 0.0
    trouble: str = ""
    is_behind: bool = False  # labels or readings have changed since, and are being loaded

    @property
    def is_empty(self) -> bool:
        """True if there was no reading."""
        return self.description is not None and not self.description.rows

    @property
    def labeled(self) -> int:
        return sum(self.description.classes.values()) if self.description else 0

    @property
    def labeled_devices(self) -> int:
        """The number of devices with a labeled reading; a device without one has empty counts, or none."""
        return sum(any(counts.values()) for counts in self.description.by_device.values()) if self.description else 0

    @property
    def labels(self) -> tuple[tuple[str, int], ...]:
        """The number of readings by label, the most frequent first."""
        return tuple(self.description.classes.items()) if self.description else ()


@dataclass(slots=True)
class _Loading:
    """A data set that is being loaded. `ready` is set when it is."""

    begun: float
    mark: DataMark | None  # before it was loaded; None if it was not known
    ready: threading.Event = field(default_factory=threading.Event)
    found: Facts = Facts()
    took_s: float = 0.0
    before: Facts = Facts()  # what is shown meanwhile

    def is_old(self, mark: DataMark | None, now: float) -> bool:
        """True if it must be loaded again, now that the data is as `mark` says."""
        if not self.ready.is_set():
            return False
        age = now - self.begun
        if self.found.trouble or age >= KEPT_S:
            return True
        if mark is None or mark == self.mark:
            return False
        is_relabeled = self.mark is None or mark.labels != self.mark.labels
        is_urgent = is_relabeled or self.found.is_empty  # else a page says for a minute that no reading has arrived
        least, times = (LABELS_S, LABELS_TIMES) if is_urgent else (READINGS_S, READINGS_TIMES)
        return age >= max(least, times * self.took_s)


class DataFacts:
    """Loads and caches descriptions. Thread-safe: a data set that several requests need is loaded once, on a thread."""

    def __init__(
        self, datasets: DatasetReader, wait_s: float = WAIT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._datasets = datasets
        self._wait_s = wait_s
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[str, _Loading] = OrderedDict()

    def look(self, query: Mapping[str, object]) -> Facts:
        """Returns the description of a data set, after a short wait at most."""
        key, now, mark = repr(sorted(query.items())), self._clock(), self._mark()
        with self._lock:
            loading = self._found.get(key)
            if loading is None or loading.is_old(mark, now):
                before = Facts() if loading is None or loading.found.trouble else self._aged(loading)
                loading = self._found[key] = _Loading(now, mark, before=before)
                while len(self._found) > MAX_KEPT:
                    self._found.popitem(last=False)
                thread = threading.Thread(target=self._load, args=(loading, dict(query)), name="facts", daemon=True)
                thread.start()
        if not loading.ready.wait(self._wait_s):
            return replace(loading.before, is_behind=True) if loading.before.meta is not None else Facts()
        return self._aged(loading)

    def _aged(self, loading: _Loading) -> Facts:
        return replace(loading.found, age_s=max(0.0, self._clock() - loading.begun))

    def _mark(self) -> DataMark | None:
        try:
            return self._datasets.mark()
        except (redis.RedisError, OSError):
            return None

    def forget(self) -> None:
        """Forgets what was loaded. Loads in progress continue."""
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
            loading.took_s = self._clock() - loading.begun
            loading.ready.set()
