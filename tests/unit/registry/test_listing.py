"""Queries of models, and the columns in which checkpoints store them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.model.columns import pack, unpack
from registry.registry import Query, Registry
from tests.memory_store import Memory
from tests.registry_writers import save

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(anything, max_size=8))
def test_packed_columns_unpack_to_the_same_values(values: list) -> None:
    assert unpack(json.loads(json.dumps(pack(values)))) == values


@pytest.fixture
def registry() -> Registry:
    registry = Registry.on(Memory())
    for name, told in {
        "b": {"kind": "rf", "metrics": {"F1": 0.9}, "description": "Prensa 7"},
        "a": {"kind": "lr", "metrics": {"F1": 0.8}, "notes": "After the OIL change"},
        "d": {"kind": "rf", "metrics": {"F1": "unknown"}},
        "c": {"kind": "rf"},
    }.items():
        save(registry, name, name)
        registry.annotate(name, told, by="me")
    registry.tag("a", ["x", "y", "Autumn"], by="me")
    return registry


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (Query(), "cdab"),
        (Query("name"), "abcd"),
        (Query("-name"), "dcba"),
        (Query("metrics.F1"), "abdc"),
        (Query("-metrics.F1"), "dbac"),
        (Query("name", equal=(("kind", "rf"),)), "bcd"),
        (Query("name", least=(("metrics.F1", 0.85),)), "b"),
        (Query("name", tags=("x", "y")), "a"),
        (Query("name", text="prensa"), "b"),
        (Query("name", text="the oil"), "a"),
        (Query("name", text="autumn"), "a"),
    ],
)
def test_queries(registry: Registry, query: Query, names: str) -> None:
    found = [model.name for model in registry.find(query)]
    assert found == list(names)


def test_an_answer_is_kept_until_something_changes(registry: Registry) -> None:
    first = registry.find(Query("name"))
    assert registry.find(Query("name")) is first
    save(registry, "e", "e")
    assert len(registry.find(Query("name"))) == 5


def test_newest_first_is_by_the_time_saved_and_not_by_rank_or_run() -> None:
    """The third model of a run is saved after those of another run, so it stands before them, apart from the first."""
    registry = Registry.on(Memory())
    for name, run, rank in (("a1", "a", 1), ("a2", "a", 2), ("b1", "b", 1), ("a3", "a", 3), ("a0", "a", 0)):
        save(registry, name, name)
        registry.annotate(name, {"run": run, "rank": rank}, by="me")
    assert [model.name for model in registry.find(Query())] == ["a0", "a3", "b1", "a2", "a1"]
    assert [model.name for model in registry.find(Query("saved_at"))] == ["a1", "a2", "b1", "a3", "a0"]


def test_a_score_is_the_held_out_one_or_that_of_cross_validation() -> None:
    """A page shows either in the same column, so the column is sorted by both."""
    registry = Registry.on(Memory())
    for name, told in {
        "held": {"metrics": {"F1": 0.99}, "holdout": {"F1": 0.7}},
        "folds": {"metrics": {"F1": 0.8}},
        "none": {},
        "other": {"holdout": {"AUC": 0.9}, "metrics": {"F1": 0.95}},
    }.items():
        save(registry, name, name)
        registry.annotate(name, told, by="me")
    assert [model.name for model in registry.find(Query("-score.F1"))] == ["folds", "held", "none", "other"]
    assert [model.name for model in registry.find(Query("score.F1"))] == ["held", "folds", "none", "other"]


def test_names_are_sorted_without_regard_to_case() -> None:
    registry = Registry.on(Memory())
    for name in ("Zeta", "beta", "Alpha"):
        save(registry, name, name)
    assert [model.name for model in registry.find(Query("name"))] == ["Alpha", "beta", "Zeta"]
    assert [model.name for model in registry.find(Query("-name"))] == ["Zeta", "beta", "Alpha"]
