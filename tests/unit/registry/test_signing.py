"""With a signing key, data not signed by a known key is refused; without one, only digests are checked."""

from __future__ import annotations

import json
import logging

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ModelRefused
from registry.log import checkpoint
from registry.log import entry as log_entry
from registry.registry import Registry
from registry.signing import Keyring
from tests.memory_store import Memory
from tests.registry_writers import save
from zelador.errors import Corrupt, InvalidInput
from zelador.settings import RegistrySettings, Settings, environment

OLD, NEW = "2025:" + "0a" * 32, "2026:" + "0b" * 32
BODY = b'{\n  "a": 1\n}\n'


def settings(*keys: str) -> RegistrySettings:
    return RegistrySettings(signing_key=keys)


def filled(*keys: str) -> Memory:
    store = Memory()
    registry = Registry.on(store, settings(*keys))
    save(registry, "one", "one")
    registry.select("one", by="me")
    return store


def manifest_key(store: Memory) -> str:
    return next(key for key in store.objects if key.endswith("manifest.json"))


def rewrite(store: Memory, key: str, old: bytes, new: bytes) -> None:
    data, modified = store.objects[key]
    assert old in data
    store.objects[key] = (data.replace(old, new), modified)


def test_a_signature_is_verified_by_its_own_key() -> None:
    sealed = Keyring([OLD]).seal("entry", BODY)
    assert json.loads(sealed)["signature"].startswith("2025:")
    assert Keyring([NEW, OLD]).proves("entry", sealed)
    assert not Keyring([NEW]).proves("entry", sealed)
    assert not Keyring([OLD]).proves("entry", BODY)
    assert Keyring().seal("entry", BODY) == BODY
    with pytest.raises(Corrupt, match="does not match"):
        Keyring([OLD]).proves("manifest", sealed)  # an entry does not pass for a manifest


@hypothesis.settings(deadline=None)  # a busy machine is no fault
@given(st.data())
def test_not_a_byte_can_be_altered(data: st.DataObject) -> None:
    keys, sealed = Keyring([OLD]), bytearray(Keyring([OLD]).seal("entry", BODY))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    try:
        assert not keys.proves("entry", bytes(sealed))
    except Corrupt:
        return


@pytest.mark.parametrize("key", ["short", "ab" * 16, "zz" * 32, ":" + "ab" * 32, "a" * 65])
def test_an_invalid_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Keyring([key])
    assert key not in str(error.value)
    with pytest.raises(InvalidInput, match="two keys have the id"):
        Keyring([OLD, "2025:" + "0c" * 32])


def test_a_key_is_never_shown_and_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZELADOR_REGISTRY__SIGNING_KEY", f"{NEW}, {OLD}")
    found = Settings()
    assert found.registry.signing_key == (NEW, OLD)
    assert "0b0b" not in repr(found)
    assert environment(found)["ZELADOR_REGISTRY__SIGNING_KEY"] == f"{NEW},{OLD}"


def test_entries_manifests_and_checkpoints_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MIN_TAIL", 1)
    store = filled(OLD)
    keys = Keyring([OLD])
    assert all(keys.proves("entry", store.read(key)) for key in store.objects if key.startswith("log/"))
    assert keys.proves("manifest", store.read(manifest_key(store)))
    (name,) = [key for key in store.objects if key.startswith("checkpoints/")]
    assert checkpoint.decode(store.read(name), keys) is not None
    assert checkpoint.decode(store.read(name), Keyring([NEW])) is None
    assert Registry.on(store, settings(NEW, OLD)).state.selection.model == "one"  # rotated: the old one still verifies
    assert Registry.on(store).state.selection.model == "one"  # a reader without a key can still read it


def test_an_unsigned_entry_is_refused_and_the_state_stays() -> None:
    store = filled(OLD)
    ours = Registry.on(store, settings(OLD))
    save(ours, "two", "two")
    Registry.on(store).select("two", by="somebody without a key")
    with pytest.raises(Corrupt, match=r"log/00000005.json is not signed"):
        ours.changed()
    assert ours.state.selection.model == "one"
    with pytest.raises(Corrupt, match="is not signed"):
        Registry.on(store, settings(OLD))


def test_an_entry_that_was_altered_is_refused() -> None:
    store = filled(OLD)
    rewrite(store, log_entry.key(3), b'"by": "me"', b'"by": "you"')
    with pytest.raises(Corrupt, match=r"log/00000003.json: the signature of key '2025' does not match"):
        Registry.on(store, settings(OLD))


def test_an_unsigned_manifest_is_refused_even_if_the_log_names_it() -> None:
    store = filled()  # its writer had no key
    with pytest.raises(Corrupt, match="vouch for it once"):
        Registry.on(store, settings(OLD))
    log_only = Keyring([OLD])
    registry = Registry.on(Memory(), settings(OLD))
    registry._payload._keyring = Keyring()
    save(registry, "one", "one")
    registry._payload._keyring = log_only
    with pytest.raises(ModelRefused, match=r"one: manifest.json is not signed"):
        registry.manifest("one")


def test_an_old_registry_is_vouched_for_once(tmp_path) -> None:
    registry = Registry.open(tmp_path)
    save(registry, "one", "one")
    signed = RegistrySettings(url=str(tmp_path), signing_key=[NEW])
    with pytest.raises(InvalidInput, match="SIGNING_KEY first"):
        Registry.trust(RegistrySettings(url=str(tmp_path)), by="me", why="looked at it")
    assert Registry.trust(signed, by="me", why="looked at it") == 2
    opened = Registry.open(signed)
    assert opened.manifest("one").name == "one"
    save(opened, "two", "two")
    assert opened.verify().findings == ()
    save(Registry.open(tmp_path), "three", "three")  # by somebody without the key, after it
    with pytest.raises(Corrupt, match=r"log/00000005.json is not signed"):
        opened.sync()


def test_a_worker_keeps_its_model_and_reports_the_refusal(tmp_path, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    from inference.swap import Swap
    from tests.small_models import select_one, upload

    registry = RegistrySettings(url=str(tmp_path), signing_key=[NEW])
    select_one(registry, "good")
    swap = Swap(Settings(registry=registry), threading.Event())
    swap.look()
    assert swap.live.model.name == "good"
    forger = Registry.open(tmp_path)
    forger.save("forged", upload(), by="forger")
    forger.select("forged", by="forger")
    with caplog.at_level(logging.ERROR):
        swap.look()
    assert swap.live.model.name == "good"
    assert "is not signed" in caplog.text
