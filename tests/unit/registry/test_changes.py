"""Select, roll back, tag, reserve: which changes the fold allows, and the state after them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from registry.errors import ChangedMeanwhile, DuplicateName
from registry.registry import Registry
from tests.memory_store import Memory
from tests.registry_writers import files_of, manifest_of, save
from zelador.errors import Conflict, InvalidInput


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def registry(store: Memory) -> Registry:
    registry = Registry.on(store)
    for name in "abc":
        save(registry, name, name)
    return registry


def test_rolling_back_goes_further_back_each_time(registry: Registry) -> None:
    for name in "abbc":
        registry.select(name, by="ana", why=f"try {name}")
    assert registry.roll_back(by="bia", why="c is worse").model == "b"
    found = registry.roll_back(by="bia")
    assert (found.model, found.rolled_back, found.by) == ("a", True, "bia")
    with pytest.raises(Conflict, match="no earlier selection"):
        registry.roll_back(by="bia")
    history = [(entry.model, entry.by, entry.why, entry.rolled_back) for entry in registry.state.history]
    assert history[3:5] == [("c", "ana", "try c", False), ("b", "bia", "c is worse", True)]
    assert all(entry.at for entry in registry.state.history)


def test_rolling_back_skips_deleted_models(registry: Registry) -> None:
    for name in "abc":
        registry.select(name, by="ana")
    registry.delete("b", by="ana")
    assert registry.roll_back(by="ana").model == "a"


def test_rolling_back_never_goes_to_a_new_model_under_a_deleted_ones_name(registry: Registry) -> None:
    for name in "abc":
        registry.select(name, by="ana")
    registry.delete("b", by="ana")
    save(registry, "b", "another")
    assert registry.roll_back(by="ana").model == "a"


def test_two_concurrent_roll_backs_go_back_once(registry: Registry, store: Memory) -> None:
    for name in "abc":
        registry.select(name, by="ana")
    other = Registry.on(store)
    commit = other._log.commit

    def late(decide, **how):
        registry.roll_back(by="ana")  # lands between the other's look and its commit
        return commit(decide, **how)

    other._log.commit = late
    with pytest.raises(ChangedMeanwhile, match="meanwhile"):
        other.roll_back(by="bia")
    assert other.sync().selection.model == "b"


def test_tags_of_two_people_are_both_kept(registry: Registry, store: Memory) -> None:
    registry.tag("a", ["good", "press"], by="ana")
    assert Registry.on(store).tag("a", ["ação"], ["press"], by="bia").tags == ("ação", "good")
    with pytest.raises(InvalidInput, match="is not a tag"):
        registry.tag("a", ["two\nlines"], by="ana")


def test_a_reserved_name_is_for_whoever_has_the_token(registry: Registry, store: Memory) -> None:
    token = registry.reserve("next", 60.0, by="ana")
    other = Registry.on(store)
    with pytest.raises(DuplicateName, match="reserved by ana"):
        save(other, "next", "x")
    with pytest.raises(DuplicateName):
        other.reserve("next", 60.0, by="bia")
    files = files_of("x")
    assert other.add("next", files, manifest_of("next", files), by="bia", token=token).name == "next"
    assert dict(other.state.reserved) == {}
    registry.reserve("short", -1.0, by="ana")
    save(other, "short", "y")


def test_tags_and_unknown_keys_of_a_save_are_kept(registry: Registry) -> None:
    files = files_of("t")
    told = replace(manifest_of("t", files), metadata={"tags": ["x"], "mine": {"deep": [1, None]}, "run": "r"})
    model = registry.add("t", files, told, by="me")
    assert model.tags == ("x",)
    assert model.metadata["mine"] == {"deep": [1, None]}
    assert model.metadata["units"] == {"lux": "lx"}


def test_a_save_whose_upload_was_condemned_uploads_again(registry: Registry, store: Memory) -> None:
    put, uploads = registry._payload.put, []

    def slow(name, files, saved):
        placed = put(name, files, saved)
        uploads.append(placed.upload)
        if len(uploads) == 1:
            Registry.on(store).collect(by="another", grace_s=-1.0)
        return placed

    registry._payload.put = slow
    save(registry, "late", "late")
    assert len(uploads) == 2
    assert registry.state.model("late").upload == uploads[1]
    assert f"late/{uploads[0]}" in registry.state.condemned
    assert registry.verify().findings == ()
