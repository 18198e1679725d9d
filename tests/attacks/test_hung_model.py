"""A model that does not answer ends its worker. After several times the model is refused, and no reading is lost.

Before, the worker hung forever at its first reading, and selecting a good model did not help, because the loop never
returned to load it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from inference.hang import EXIT_CODE, HangGuard
from registry.errors import ModelRefused
from zelador.settings import Settings


class Stuck:
    name, digest, features, classes = "stuck", "5" * 64, ("lux",), ("no", "yes")

    def __init__(self) -> None:
        self.released = threading.Event()

    def classify(self, rows: object) -> object:
        self.released.wait(30)
        return rows


def test_the_worker_exits_and_a_model_that_always_hangs_is_refused(
    settings: Settings, eventually: Callable[..., None]
) -> None:
    quick = settings.model_copy(update={"inference": settings.inference.model_copy(update={"model_timeout_s": 0.2})})
    most = quick.inference.deliveries
    model = Stuck()
    for _ in range(most + 1):
        codes: list[int] = []
        guard = HangGuard(quick, threading.Event(), codes.append)
        guarded = guard.guarded(model)
        model.released.clear()
        asking = threading.Thread(target=guarded.classify, args=(np.zeros((1, 1)),))
        asking.start()

        def ended(guard: HangGuard = guard, codes: list[int] = codes) -> bool:
            guard.look()
            return bool(codes)

        eventually(ended, "the end of the worker")
        assert codes[0] == EXIT_CODE
        model.released.set()
        asking.join(60)
    with pytest.raises(ModelRefused, match="select another model"):
        HangGuard(quick, threading.Event()).guarded(model)


def test_a_model_that_answers_is_left_alone(settings: Settings) -> None:
    codes: list[int] = []
    guard = HangGuard(settings, threading.Event(), codes.append)
    model = Stuck()
    model.released.set()
    started = time.monotonic()
    guard.guarded(model).classify(np.zeros((1, 1)))
    guard.look()
    assert codes == []
    assert time.monotonic() - started < 20
