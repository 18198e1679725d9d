"""The document of a run: written and read without changes; a damaged one gives a clear error."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from registry.registry import Registry
from registry.run_document import KEYS, RESULT, result_of
from tests.memory_store import Memory
from zelador.errors import Corrupt, NotFound

(STORED,) = (Path(__file__).parents[2] / "upgrade" / "home" / "registry" / "runs").glob("*/run.json")
RUN = STORED.parent.name
KEY = f"runs/{RUN}/run.json"


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def registry(store: Memory) -> Registry:
    return Registry.on(store)


def test_a_document_is_written_as_an_earlier_version_wrote_it(store: Memory, registry: Registry) -> None:
    document = json.loads(STORED.read_text())
    shuffled = list(document.items())
    Random(7).shuffle(shuffled)
    registry.put_run(RUN, dict(shuffled))
    assert store.read(KEY) == STORED.read_bytes()
    assert registry.run(RUN) == document
    assert list(result_of(document)) == [key for key in RESULT if key in document]
    assert {"run", "rows", "metric", "leaderboard", "models", "seconds"} <= set(result_of(document))


def test_a_key_of_a_later_version_is_kept_and_comes_last(store: Memory, registry: Registry) -> None:
    stored = json.loads(STORED.read_text())
    registry.put_run(RUN, {"priority": 3, **stored})
    assert registry.run(RUN)["priority"] == 3
    assert list(registry.run(RUN)) == [*(key for key in KEYS if key in stored), "priority"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: {**document, "state": "perhaps"},
        lambda document: {**document, "started_at": None},
        lambda document: {**document, "models": [{"rank": "first"}]},
        lambda document: {key: value for key, value in document.items() if key != "by"},
        lambda document: [document],
        lambda _: None,
    ],
)
def test_a_damaged_document_gives_one_sentence(store: Memory, registry: Registry, damage: Any) -> None:
    store.put_stream(KEY, [json.dumps(damage(json.loads(STORED.read_text()))).encode()])
    with pytest.raises(Corrupt, match=rf"{KEY} is not a run's document .*; restore it from a backup"):
        registry.run(RUN)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", STORED.read_bytes()[:-2], b"[" * 100_000])
def test_a_document_that_is_not_json_gives_one_sentence(store: Memory, registry: Registry, data: bytes) -> None:
    store.put_stream(KEY, [data])
    with pytest.raises(Corrupt, match="is not a run's document"):
        registry.run(RUN)


def test_a_missing_document_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFound):
        registry.run(RUN)
