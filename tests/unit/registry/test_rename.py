"""Renaming a model: what uses the new name, what keeps the old one, and reuse of the old name."""

from __future__ import annotations

import json

import pytest

from registry.errors import ChangedMeanwhile, DuplicateName, ModelNotFound, ModelSelected
from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.log.follow import Follower
from registry.model.columns import pack, unpack
from registry.registry import Registry
from registry.signing import Keyring
from tests.memory_store import Memory
from tests.registry_writers import files_of, manifest_of, save
from zelador.errors import Conflict, InvalidInput
from zelador.settings import RegistrySettings


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def registry(store: Memory) -> Registry:
    registry = Registry.on(store)
    for name in "abc":
        save(registry, name, name)
    return registry


def content(registry: Registry, name: str) -> bytes:
    return registry.file(name, "model.skops")


def test_the_files_stay_and_the_models_facts_follow_the_rename(registry: Registry, store: Memory) -> None:
    registry.amend("a", {"notes": "n"}, add=["press"], by="ana")
    before, files = registry.state.model("a"), {key for key in store.objects if key.startswith("models/")}
    renamed = registry.rename("a", "line-2", by="ana", why="asked for")
    assert {key for key in store.objects if key.startswith("models/")} == files
    same = ("upload", "digest", "metadata", "saved_at", "saved_by", "tags", "seq", "payload")
    assert [getattr(renamed, field) for field in same] == [getattr(before, field) for field in same]
    assert content(registry, "line-2") == files_of("a")["model.skops"]
    assert registry.manifest("line-2").name == "line-2"
    with pytest.raises(ModelNotFound):
        registry.load("a")
    entry = json.loads(store.read(log_entry.key(registry.state.seq)))
    assert (entry["by"], entry["why"]) == ("ana", "asked for")
    assert entry["ops"] == [{"op": "rename", "name": "a", "to": "line-2"}]
    derived = json.loads(store.read("registry.json"))
    assert sorted(derived) == ["b", "c", "line-2"]
    assert store.read(derived["line-2"]["path"].removeprefix("memory/")) == files_of("a")["model.skops"]
    assert registry.verify().findings == ()


def test_signatures_stay_valid_under_the_new_name(store: Memory) -> None:
    settings = RegistrySettings(signing_key="ab" * 32)
    save(Registry.on(store, settings), "a", "a")
    Registry.on(store, settings).rename("a", "b", by="ana")
    assert content(Registry.on(store, settings), "b") == files_of("a")["model.skops"]


def test_a_name_cannot_be_taken_twice(registry: Registry, store: Memory) -> None:
    with pytest.raises(DuplicateName, match="there is a model 'b'"):
        registry.rename("a", "b", by="ana")
    token = registry.reserve("next", 60.0, by="bia")
    with pytest.raises(DuplicateName, match="reserved by bia"):
        registry.rename("a", "next", by="ana")
    for name in ("", "../x", "x" * 65, "a b"):
        with pytest.raises(InvalidInput, match="is not a name"):
            registry.rename("a", name, by="ana")
    with pytest.raises(ModelNotFound):
        registry.rename("nobody", "x", by="ana")
    with pytest.raises(ChangedMeanwhile):
        registry.rename("a", "x", by="ana", if_match="seq-0123456789abcdef")
    registry.reserve("short", -1.0, by="bia")
    assert registry.rename("a", "short", by="ana").name == "short"
    assert set(registry.state.reserved) == {"next"}
    files = files_of("n")
    registry.add("next", files, manifest_of("next", files), by="bia", token=token)


def test_renaming_to_its_own_name_changes_nothing(registry: Registry) -> None:
    before = registry.state
    assert registry.rename("a", "a", by="ana").name == "a"
    assert registry.state == before


def test_annotations_tags_and_name_are_one_entry(registry: Registry) -> None:
    registry.tag("a", ["old", "both"], by="ana")
    before = registry.state.seq
    model = registry.amend("a", {"notes": "n"}, add=["new", "both"], remove=["old"], to="z", by="ana")
    assert (registry.state.seq, model.name, model.tags) == (before + 1, "z", ("both", "new"))
    assert model.metadata["notes"] == "n"
    registry.select("z", by="ana")
    before = registry.state.seq
    with pytest.raises(ModelSelected):
        registry.amend("z", {"notes": "other"}, to="a", by="ana")
    assert (registry.state.seq, registry.state.model("z").metadata["notes"]) == (before, "n")


def test_the_selected_one_keeps_its_name_until_another_is_selected(registry: Registry) -> None:
    registry.select("a", by="ana")
    with pytest.raises(ModelSelected, match="select another one"):
        registry.rename("a", "x", by="ana")
    registry.select("b", by="ana")
    registry.rename("a", "x", by="ana")
    found = registry.roll_back(by="ana")
    assert (found.model, found.rolled_back) == ("x", True)
    assert [each.model for each in registry.state.history] == ["a", "b", "x"]


def test_rolling_back_is_not_misled_by_a_name_that_was_used_before(registry: Registry) -> None:
    for name in "ab":
        registry.select(name, by="ana")
    registry.rename("a", "was-a", by="ana")
    save(registry, "a", "new a")
    assert registry.roll_back(by="ana").model == "was-a"
    assert content(registry, "a") == files_of("new a")["model.skops"]
    assert content(registry, "was-a") == files_of("a")["model.skops"]
    with pytest.raises(Conflict, match="no earlier selection"):
        registry.roll_back(by="ana")


def test_a_model_does_not_take_the_place_of_a_deleted_one_by_its_name(registry: Registry) -> None:
    for name in "abc":
        registry.select(name, by="ana")
    registry.delete("b", by="ana")
    save(registry, "never", "never selected")
    registry.rename("never", "b", by="ana")
    assert registry.roll_back(by="ana").model == "a"


def test_two_models_that_exchange_their_names(registry: Registry) -> None:
    for name in "abc":
        registry.select(name, by="ana")
    for name, to in (("a", "x"), ("b", "a"), ("x", "b")):
        registry.rename(name, to, by="ana")
    assert content(registry, "a") == files_of("b")["model.skops"]
    assert [registry.roll_back(by="ana").model for _ in range(2)] == ["a", "b"]
    registry.select("c", by="ana")
    registry.rename("b", "y", by="ana")
    registry.rename("y", "a2", by="ana")
    assert registry.rename("a2", "b", by="ana").stored_as == "a"
    assert registry.verify().findings == ()


@pytest.mark.parametrize("at_once", [True, False])
def test_deleting_one_of_two_that_had_one_name_leaves_the_other(
    registry: Registry, store: Memory, at_once: bool
) -> None:
    key = registry.rename("a", "was-a", by="ana").payload
    save(registry, "a", "new a")
    registry.delete("was-a", by="ana", files_at_once=at_once)
    assert key in registry.state.condemned
    assert any(file.startswith(f"models/{key}/") for file in store.objects) is not at_once
    registry.collect(by="ana", grace_s=-1.0)
    registry.collect(by="ana", grace_s=-1.0)
    assert content(registry, "a") == files_of("new a")["model.skops"]
    assert sum(key.startswith("models/a/") for key in store.objects) == 3
    assert registry.verify().findings == ()


def test_files_of_a_renamed_model_are_neither_condemned_nor_given_to_another(registry: Registry) -> None:
    upload = registry.rename("a", "x", by="ana").upload
    condemn = {"op": "condemn", "uploads": [f"a/{upload}"]}
    register = {"op": "register", "name": "a", "upload": upload, "digest": "d", "metadata": {}}
    other = {"op": "condemn", "uploads": ["z/none"]}
    again = {"op": "rename", "name": "x", "to": "y"}
    for ops, whose in (([condemn], "x"), ([register], "x"), ([other, again, condemn], "y")):
        with pytest.raises(Conflict, match=f"of {whose}"):
            registry._commit(ops, "ana", "")
    assert registry.collect(by="ana", grace_s=-1.0).condemned == ()


def test_versions_without_renames_ignore_a_checkpoint_with_a_renamed_model(registry: Registry, store: Memory) -> None:
    keyring = Keyring()
    assert written(checkpoint.encode(registry.state, keyring))["format"] == 1
    registry.rename("a", "x", by="ana")
    data = checkpoint.encode(registry.state, keyring)
    assert written(data)["format"] == 2
    assert checkpoint.decode(data, keyring) == registry.state == Follower(store, from_zero=True).sync()
    registry.rename("x", "a", by="ana")
    assert written(checkpoint.encode(registry.state, keyring))["format"] == 1


def test_a_checkpoint_from_before_models_could_be_renamed_is_read(registry: Registry) -> None:
    import zstandard

    found = written(checkpoint.encode(registry.state, Keyring()))
    rows = unpack(found["models"])
    for row in rows:
        del row["stored_as"]
    old = zstandard.ZstdCompressor().compress(json.dumps({**found, "models": pack(rows)}).encode())
    assert checkpoint.decode(old, Keyring()) == registry.state


def written(data: bytes) -> dict:
    import zstandard

    return json.loads(zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 20))
