"""The findings of verify, and the checks of checkpoints."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from registry import index
from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.log.follow import Follower
from registry.registry import Registry
from registry.signing import Keyring
from tests.memory_store import Memory
from tests.registry_writers import save
from zelador.errors import Corrupt, InvalidInput


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Memory:
    monkeypatch.setattr(checkpoint, "MIN_TAIL", 4)
    store = Memory()
    registry = Registry.on(store)
    for name in "abcdef":
        save(registry, name, name)
    registry.select("a", by="me")
    return store


def found(store: Memory, expect: str | None = None) -> list[tuple[str, bool]]:
    return [(finding.where, finding.fault) for finding in Registry(store).verify(expect).findings]


def key(store: Memory, end: str) -> str:
    return next(key for key in sorted(store.objects) if key.endswith(end) and key.startswith("models/a/"))


def test_an_intact_registry_has_no_findings(store: Memory) -> None:
    report = Registry(store).verify()
    assert (report.whole, report.findings, report.entries, report.models, report.files) == (True, (), 8, 6, 12)
    assert any(name.startswith("checkpoints/") for name in store.objects)


@pytest.mark.parametrize("end", ["manifest.json", "model.skops"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_missing_or_changed_file_is_found(store: Memory, end: str, gone: bool) -> None:
    name = key(store, end)
    if gone:
        store.delete(name)
    else:
        store.put_stream(name, [b"{}"])
    ((where, fault),) = found(store)
    assert (where, fault) == (name.rpartition("/")[0], True)


def test_a_broken_chain_a_gap_and_stray_files_are_found(store: Memory) -> None:
    store.put_stream("log/notes.txt", [b"not ours"])
    store.put_stream("models/z/u/model.skops", [b"half"])
    assert found(store) == [("log/notes.txt", False), ("models/z/u", False)]
    store.put_stream(log_entry.key(10), [store.read(log_entry.key(8))])
    assert (log_entry.key(10), True) in found(store)
    store.put_stream(log_entry.key(3), [store.read(log_entry.key(3)).replace(b"writer", b"sombody")])
    assert found(store) == [("log", True)]


def test_an_etag_seen_before_must_be_in_the_chain(store: Memory) -> None:
    seen = Registry.on(store).state.etag
    older = Registry.on(store)
    older.annotate("a", {"note": "x"}, by="me")
    assert found(store, seen) == []
    assert found(store, f'"{older.state.etag}"') == []
    store.delete(log_entry.key(9))  # restored from a copy that was made before
    store.delete("registry.json")
    assert [where for where, fault in found(store, older.state.etag) if fault] == ["log"]
    assert [where for where, fault in found(store) if fault] == []


def test_registry_json_is_written_again(store: Memory) -> None:
    whole = store.read("registry.json")
    for damaged in (None, b"{ damaged", b"{}\n"):
        if damaged is None:
            store.delete("registry.json")
        else:
            store.put_stream("registry.json", [damaged])
        assert found(store) == [("registry.json", False)]
        Registry.on(store)
        assert store.read("registry.json") == whole


@pytest.mark.parametrize("keys", [(), ("1" * 64,)], ids=["unsigned", "signed"])
def test_a_start_renders_a_large_registry_json_only_if_it_is_not_the_one_that_was_written(
    store: Memory, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, ...]
) -> None:
    monkeypatch.setattr(index, "MAX_MODELS_PER_CHANGE", 2)
    registry, keyring = Registry(store), Keyring(keys)
    registry.sync()

    def start() -> None:
        index.Index(store, keyring).repair(registry._log)

    store.delete("registry.json")
    start()
    whole = store.read("registry.json")
    with monkeypatch.context() as patched:
        patched.setattr(index.Index, "render", lambda *_: pytest.fail("it was rendered"))
        start()
    forged = b'{"a": {"path": "/etc/passwd", "metadata": {}, "saved_at": ""}}'
    claims = {"format": index.FORMAT, "head": registry.state.head, "sha256": hashlib.sha256(forged).hexdigest()}
    text = json.dumps(claims, indent=2).encode() + b"\n"
    states = [b"{ damaged", b"[]", b'{"format": 1}', json.dumps({**claims, "head": "0" * 64}).encode()]
    if keys:  # without a key, anyone who can write this file can also write the log
        states += [text, Keyring(("2" * 64,)).seal("index", text), keyring.seal("entry", text)]
    for state in states:
        store.put_stream("registry.json", [forged])
        store.put_stream("registry.json.state", [state])
        start()
        assert store.read("registry.json") == whole
    registry.tag("a", ["new"], by="me")
    start()  # another process: the file is of an earlier entry
    assert b'"new"' in (store.read("registry.json") or b"")


def test_a_cold_start_reads_only_the_checkpoint_and_the_tail(store: Memory) -> None:
    (newest, *_) = checkpoint.numbers(store)
    for seq in range(1, newest):
        store.delete(log_entry.key(seq))
    state = Follower(store).sync()
    assert set(state.models) == set("abcdef")
    assert state.seq == 8


def test_a_damaged_checkpoint_is_ignored_and_a_wrong_one_is_found(store: Memory) -> None:
    (newest, *_) = checkpoint.numbers(store)
    state = Follower(store, from_zero=True).sync()
    whole = store.read(checkpoint.key(newest))
    store.put_stream(checkpoint.key(newest), [whole[:-5]])
    assert Follower(store).sync() == state
    assert found(store) == [(checkpoint.key(newest), False)]
    lying = checkpoint.decode(whole, Registry(store)._keyring)
    renamed = {**lying.models, "a": lying.models["b"]}
    store.put_stream(
        checkpoint.key(newest), [checkpoint.encode(replace(lying, models=renamed), Registry(store)._keyring)]
    )
    assert (checkpoint.key(newest), True) in found(store)


def test_a_log_that_ends_before_its_checkpoint_is_corrupt(store: Memory) -> None:
    (newest, *_) = checkpoint.numbers(store)
    for seq in range(newest, 9):
        store.delete(log_entry.key(seq))
    with pytest.raises(Corrupt, match="restore the log from a backup"):
        Registry.on(store)


def test_only_the_newest_two_checkpoints_are_kept(store: Memory) -> None:
    registry = Registry.on(store)
    for i in range(30):
        registry.annotate("a", {"i": i}, by="me")
    assert len(checkpoint.numbers(store)) == 2


def test_values_that_json_cannot_represent_are_refused_and_the_log_stays_intact(store: Memory) -> None:
    registry = Registry.on(store)
    for value in (float("nan"), float("inf"), object()):
        with pytest.raises(InvalidInput, match="cannot be stored"):
            registry._commit([{"op": "annotate", "name": "a", "metadata": {"AUC": value}}], "me", "")
    with pytest.raises(InvalidInput, match=r"builtins\.object, which cannot be stored as JSON"):
        registry.annotate("a", {"x": object()}, by="me")
    kept = registry.annotate("a", {"AUC": np.float64("nan"), "F1": np.float32(0.5), "rows": np.int64(3)}, by="me")
    assert (kept.metadata["AUC"], kept.metadata["F1"], kept.metadata["rows"]) == (None, 0.5, 3)
    assert found(store) == []
