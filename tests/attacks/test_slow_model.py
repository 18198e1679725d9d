"""A model that never answers, requested by many over the API: they get an error, and nobody else is affected.

Before, each such request kept a thread of the API's pool forever, until not even /healthz answered.
"""

from __future__ import annotations

import inspect
import threading
import time
from pathlib import Path

import psutil
import pytest
from starlette.exceptions import HTTPException

from admin.api.health import healthz
from admin.classifiers import Classifiers
from registry.cage.child import CACHED_MODELS
from registry.registry import Registry
from tests.small_models import select_one, upload

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = select_one(tmp_path)
    registry.save("slow", upload(with_probabilities=False), by="test")
    return registry


def test_health_needs_no_thread_from_the_pool() -> None:
    assert inspect.iscoroutinefunction(healthz)


def test_a_hanging_model_is_ended_and_the_others_continue(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Classifiers(registry, timeout_s=15.0, at_once=2)
    try:
        before = found.classify("small", [READING])
        first = found._cage
        assert first is not None
        hung: list[HTTPException] = []
        monkeypatch.setattr(found, "_timeout_s", 1.0)
        # The child is stopped, as if it were in a loop that no signal of Python's interrupts.
        assert first.alive
        psutil.Process(first._process).suspend()

        def ask() -> None:
            with pytest.raises(HTTPException) as raised:
                found.classify("slow", [READING])
            hung.append(raised.value)

        started = time.monotonic()
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert time.monotonic() - started < 15
        assert [error.status_code for error in hung] == [503] * 4
        assert all(int((error.headers or {})["Retry-After"]) >= 1 for error in hung)
        assert not first.alive
        monkeypatch.setattr(found, "_timeout_s", 60.0)
        with pytest.raises(HTTPException, match="a moment ago"):
            found.classify("slow", [READING])  # not asked again for a while
        assert found.classify("small", [READING]) == before
        assert found._cage is not first
    finally:
        found.close()


@pytest.mark.attack_long
def test_models_beyond_the_cache_are_loaded_again(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process and the cage drop the same models from their caches."""
    for index in range(CACHED_MODELS):
        registry.save(f"m{index}", upload(with_probabilities=index % 2 == 0), by="test")
    found = Classifiers(registry, timeout_s=60.0, at_once=2)
    try:
        for name in ("small", *(f"m{index}" for index in range(CACHED_MODELS)), "small", "m0", "small", "m1"):
            assert found.classify(name, [READING])[0]["label"] in ("no", "yes")
    finally:
        found.close()
