"""Classifies for the API in a caged process, with a deadline and a limit on waiting requests.

A process that hangs in a model can be killed; a thread cannot. The API's own process loads no model.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from registry.cage.cage import MIB, Cage, CageDied, Limits
from registry.cage.child import CACHED_MODELS
from registry.cage.wire import Answered, Ask, CheckModel, Passed, Refused
from registry.errors import ModelRefused
from registry.model import manifest
from registry.model.classifier import Classifier, Rows
from registry.model.rows import Answer, answers_of
from registry.registry import Registry
from zelador.errors import Unavailable
from zelador.settings import Settings

log = logging.getLogger(__name__)

LIMITS = Limits(
    memory=1024 * MIB, cpu_s=0
)  # no limit on processor time: the process is long-lived, and each request has a deadline
KNOWN = CACHED_MODELS  # models that the process keeps loaded, the most recently used; both sides count the same
BARRED_S = 60.0  # how long a model that missed the deadline is not used again
MAX_ANSWER = 64 * MIB
RETRY_S = 2
START_WAIT_S = 20.0  # longest time a request waits for the process; it continues to start after that


class Classifiers:
    """Classifies in one process, which starts when it is first needed. Thread-safe; one request at a time."""

    def __init__(self, registry: Registry, timeout_s: float, at_once: int, settings: Settings | None = None) -> None:
        """With `settings`, refuses values that would be refused in a live reading."""
        self._registry = registry
        self._settings = settings
        self._timeout_s = timeout_s
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._cage: Cage | None = None
        # By digest, because a name may now belong to another model.
        self._known: OrderedDict[str, tuple[Classifier, _Remote]] = OrderedDict()
        self._barred: OrderedDict[str, float] = OrderedDict()  # by digest: until when

    def classify(self, name: str, readings: list[dict[str, Any]]) -> list[Answer]:
        """Classifies readings with the model `name`.

        Raises ModelNotFound, ModelRefused, InvalidInput; HTTPException (503) if busy or late.
        """
        if not self._places.acquire(blocking=False):
            raise _busy("the limit of concurrent classifications (ZELADOR_API__CLASSIFICATIONS_AT_ONCE) is reached")
        try:
            if not self._lock.acquire(timeout=self._timeout_s):
                raise _busy(f"other classifications took {self._timeout_s:g} s (ZELADOR_API__CLASSIFY_TIMEOUT_S)")
            try:
                return self._classify(name, readings)
            finally:
                self._lock.release()
        finally:
            self._places.release()

    def close(self) -> None:
        """Ends the process, without waiting for a request in progress."""
        cage = self._cage
        if cage is not None:
            cage.close()

    def _classify(self, name: str, readings: list[dict[str, Any]]) -> list[Answer]:
        model = self._registry.sync().model(name)
        if (until := self._barred.get(model.digest, 0.0)) > time.monotonic():
            raise _busy(f"{name} did not answer in {self._timeout_s:g} s a moment ago", until - time.monotonic())
        cage = self._ready()
        deadline = time.monotonic() + self._timeout_s
        try:
            return answers_of(self._get(cage, name, deadline), readings, self._settings)
        except _TooLate as late:
            self._bar(late.digest)
            raise _busy(str(late), BARRED_S) from None
        except ModelRefused:
            if not cage.alive:
                self._forget()
            raise

    def _ready(self) -> Cage:
        """Returns the started process. Importing its libraries may take longer than a request may wait."""
        if self._cage is None or not self._cage.alive:
            self._forget()
            self._cage = Cage(LIMITS)
        try:
            ready = self._cage.ready(START_WAIT_S)
        except Unavailable:
            self._forget()
            raise
        if ready is None:
            raise _busy("the classification process is starting")
        return self._cage

    def _get(self, cage: Cage, name: str, deadline: float) -> Classifier:
        digest = self._registry.state.model(name).digest
        found = self._known.get(digest)
        if found is None:
            saved, digest, files = self._registry.serving(name)  # read the digest again: the name may have changed
            self._load(cage, name, CheckModel(manifest.encode(saved), digest, files, keep=True), deadline)
            features = tuple(feature.name for feature in saved.features)
            engine = _Remote(cage, digest, len(saved.classes))
            found = Classifier(name, digest, features, saved.classes, saved.served_by, engine), engine
            self._known[digest] = found
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)
        classifier, engine = found
        engine.deadline = deadline
        return classifier

    def _load(self, cage: Cage, name: str, request: CheckModel, deadline: float) -> None:
        reply = _ask(cage, name, request, deadline)
        if isinstance(reply, Refused):
            if self._known and ("memory" in reply.reason or "alloc" in reply.reason):
                self._forget()  # the model may have taken over the process; the next request gets a new one
            raise ModelRefused(reply.reason)
        if not isinstance(reply, Passed):
            raise ModelRefused(f"{name}: the process that loaded it sent an invalid reply; select another model")

    def _bar(self, digest: str) -> None:
        self._forget()
        self._barred[digest] = time.monotonic() + BARRED_S
        self._barred.move_to_end(digest)
        while len(self._barred) > KNOWN * 4:
            self._barred.popitem(last=False)

    def _forget(self) -> None:
        if self._cage is not None:
            self._cage.close()
        self._cage = None
        self._known.clear()


class _Remote:
    """An engine whose model runs in the caged process."""

    def __init__(self, cage: Cage, digest: str, classes: int) -> None:
        self._cage = cage
        self._digest = digest
        self._classes = classes
        self.deadline = 0.0

    def run(self, rows: Rows) -> tuple[Sequence[int], Rows | None]:
        reply = _ask(self._cage, "the model", Ask(self._digest, rows.tobytes()), self.deadline)
        if isinstance(reply, Refused):
            raise ModelRefused(reply.reason)
        if not isinstance(reply, Answered):
            raise ModelRefused("the process that loaded the model sent an invalid reply")
        count, shares = len(rows), None
        fits = len(reply.indices) == count and all(0 <= index < self._classes for index in reply.indices)
        if reply.probabilities is not None:
            fits = fits and len(reply.probabilities) == count * self._classes * 8
            shares = np.frombuffer(reply.probabilities).reshape(count, -1) if fits else None
        if not fits:
            raise ModelRefused("the process that loaded the model sent an invalid reply")
        return reply.indices, shares


class _TooLate(Exception):
    def __init__(self, digest: str, why: str) -> None:
        super().__init__(why)
        self.digest = digest


def _ask(cage: Cage, name: str, request: CheckModel | Ask, deadline: float) -> object:
    left = max(0.1, deadline - time.monotonic())
    try:
        return cage.ask(request, left, MAX_ANSWER)
    except CageDied as died:
        if time.monotonic() >= deadline:
            raise _TooLate(request.digest, f"{name} did not answer in time ({died})") from None
        raise ModelRefused(f"{name}: {died}; select another model") from None


def _busy(why: str, after_s: float = RETRY_S) -> HTTPException:
    return HTTPException(503, f"{why}; try again later", {"Retry-After": str(max(1, round(after_s)))})
