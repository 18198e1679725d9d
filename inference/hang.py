"""Ends the worker when its model does not answer, because a thread in compiled code cannot be stopped.

The supervisor starts the worker again. A reading that hangs the model each time is set aside after some deliveries. A
model that hangs more often than that is refused for a while, so that readings wait for another selection.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

import numpy as np
import redis
from numpy.typing import NDArray

from inference.model import Answer, Model
from registry.errors import ModelRefused
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.settings import Settings

log = logging.getLogger(__name__)

POLL_S = 1.0
EXIT_CODE = 70  # EX_SOFTWARE
FORGET_S = 3_600  # after its last hang, a model is tried again


class HangGuard:
    def __init__(self, settings: Settings, stop: threading.Event, end: Callable[[int], object] = os._exit) -> None:
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._stop = stop
        self._end = end
        self._asked: tuple[float, Model] | None = None
        self._thread = threading.Thread(target=self._watch, name="hang", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def guarded(self, model: Model) -> Model:
        """The model, under watch. Raises ModelRefused when it hung too often."""
        times, most = self._hangs(model.digest), self._settings.inference.deliveries
        if times > most:
            raise ModelRefused(
                f"{model.name} did not answer within {self._settings.inference.model_timeout_s:g} s "
                f"{times} times, and ended its worker each time; select another model (this one is tried again "
                f"{FORGET_S // 60} minutes after the last time)"
            )
        return _Guarded(model, self)

    def classify(self, model: Model, rows: NDArray[np.float64]) -> Answer:
        self._asked = (time.monotonic(), model)
        try:
            return model.classify(rows)
        finally:
            self._asked = None

    def look(self) -> None:
        """Ends the process if the model has been running for too long."""
        asked = self._asked
        limit = self._settings.inference.model_timeout_s
        if asked is None or time.monotonic() - asked[0] <= limit:
            return
        model = asked[1]
        log.error(
            "%s has not answered for %.0f s: the worker exits and is restarted (ZELADOR_INFERENCE__MODEL_TIMEOUT_S)",
            model.name,
            time.monotonic() - asked[0],
        )
        self._count(model.digest)
        self._end(EXIT_CODE)

    def _watch(self) -> None:
        while not self._stop.wait(POLL_S):
            self.look()

    def _hangs(self, digest: str) -> int:
        try:
            with connect_redis(self._settings.redis) as client:
                return int(client.get(self._keys.hung(digest)) or 0)
        except (redis.RedisError, OSError, ValueError):
            return 0  # the loop has its own way to wait for Redis

    def _count(self, digest: str) -> None:
        try:
            with connect_redis(self._settings.redis) as client:
                client.set(self._keys.hung(digest), self._hangs(digest) + 1, ex=FORGET_S)
        except (redis.RedisError, OSError) as error:
            log.warning("could not record that the model hung: %s", error)


class _Guarded:
    """Wraps a model so that its calls are watched."""

    def __init__(self, model: Model, guard: HangGuard) -> None:
        self.name, self.digest = model.name, model.digest
        self.features, self.classes = model.features, model.classes
        self._model = model
        self._guard = guard

    def classify(self, rows: NDArray[np.float64]) -> Answer:
        return self._guard.classify(self._model, rows)
