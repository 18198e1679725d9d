"""The registry in a real folder: a model is registered completely and once, or not at all, even if a writer dies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from registry.errors import ChangedMeanwhile, DuplicateName, ModelNotFound, ModelRefused, ModelSelected
from registry.log import entry as log_entry
from registry.log.commit import Log
from registry.registry import Registry
from registry.store import Folder, Uncertain
from tests.small_models import rows_and_labels, upload
from zelador.errors import Corrupt, InvalidInput, Unavailable


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.open(tmp_path / "registry")


def test_save_load_list_select_delete(registry: Registry) -> None:
    model = registry.save("one", upload(), by="me", why="first")
    assert (model.name, model.saved_by) == ("one", "me")
    rows, _ = rows_and_labels()
    classifier = registry.load("one")
    answer = classifier.classify(rows[:50])
    assert answer.labels == registry.pipeline("one").predict(rows[:50]).tolist()
    assert answer.probabilities.shape == (50, 2)
    selection = registry.select("one", by="me", why="best")
    assert selection == Registry.open(registry._store.path).state.selection
    with pytest.raises(ModelSelected):
        registry.delete("one", by="me")
    registry.save("two", upload(with_probabilities=False), by="me")
    assert registry.load("two").classify(rows[:5]).probabilities is None
    registry.select("two", by="me")
    registry.delete("one", by="me")
    assert list(registry.state.models) == ["two"]
    assert (registry._store.path / "models" / "one").exists()  # a reader or a copy of the folder now finds it complete
    assert registry.collect(by="me").removed == ()
    assert len(registry.collect(by="me", grace_s=-1).removed) == 1
    assert not (registry._store.path / "models" / "one").exists()
    with pytest.raises(ModelNotFound):
        registry.load("one")


def test_a_name_is_never_overwritten(registry: Registry) -> None:
    registry.save("one", upload(), by="me")
    with pytest.raises(DuplicateName):
        registry.save("one", upload(), by="me")
    with pytest.raises(InvalidInput):
        registry.save("../one", upload(), by="me")


def test_another_process_sees_a_new_model_with_one_read(registry: Registry) -> None:
    other = Registry.open(registry._store.path)
    assert not other.changed()
    registry.save("one", upload(), by="me")
    assert other.changed()
    assert "one" in other.state.models
    assert not other.changed()


def test_if_match(registry: Registry) -> None:
    registry.save("one", upload(), by="me")
    old = registry.state.etag
    registry.save("two", upload(), by="me")
    with pytest.raises(ChangedMeanwhile):
        registry.select("one", by="me", if_match=old)
    registry.select("one", by="me", if_match=f'"{registry.state.etag}"')


@pytest.mark.parametrize("path", ["model.skops", "golden.json", "manifest.json"])
def test_an_altered_file_is_refused(registry: Registry, path: str) -> None:
    model = registry.save("one", upload(), by="me")
    file = registry._store.path / "models" / "one" / model.upload / path
    file.write_bytes(file.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ModelRefused, match="does not match its digest"):
        registry.load("one")


def test_a_model_that_answers_differently_than_when_it_was_saved_is_refused(registry: Registry) -> None:
    from registry.model import golden

    registry.save("one", upload(), by="me")
    classifier = registry.load("one")
    kept = json.loads(registry.file("one", golden.FILE))
    kept["labels"] = ["yes" if label == "no" else "no" for label in kept["labels"]]
    with pytest.raises(ModelRefused, match="golden rows"):
        golden.check(classifier, json.dumps(kept).encode())


def test_registry_json_is_derived_and_never_read(registry: Registry) -> None:
    registry.save("one", upload(), by="me")
    index = registry._store.path / "registry.json"
    found = json.loads(index.read_text())
    assert set(found["one"]) == {"path", "metadata", "saved_at"}
    assert (registry._store.path / found["one"]["path"]).is_file()
    index.write_text("{ damaged")
    again = Registry.open(registry._store.path)
    assert list(again.state.models) == ["one"]
    again.save("two", upload(), by="me")
    assert set(json.loads(index.read_text())) == {"one", "two"}


def test_a_replaced_log_is_noticed(registry: Registry) -> None:
    registry.save("one", upload(), by="me")
    newest = registry._store.path / log_entry.key(registry.state.seq)
    newest.write_bytes(newest.read_bytes().replace(b'"by": "me"', b'"by": "you"'))
    with pytest.raises(Corrupt, match="restored or replaced while in use"):
        registry.sync()


class Lossy(Folder):
    """A store in which every second `create` succeeds, but its reply is lost."""

    calls = 0

    def create(self, key: str, data: bytes) -> bool:
        self.calls += 1
        created = super().create(key, data)
        if self.calls % 2 == 0:
            raise Uncertain("the answer was lost")
        return created


def test_a_lost_reply_causes_no_second_change(tmp_path: Path) -> None:
    chain = Log(Lossy(tmp_path), wait=lambda _: None)
    for i in range(20):
        op = {"op": "register", "name": f"m{i}", "upload": "u", "digest": "d", "metadata": {}}
        chain.commit(lambda _state, op=op: [op], by="me")
    assert len(Log(Folder(tmp_path)).sync().models) == 20
    assert len(list((tmp_path / "log").iterdir())) == 20


def test_a_read_only_folder_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cannot be written .* ZELADOR_REGISTRY__URL"):
        Registry.open(tmp_path / "file" / "registry")


@pytest.mark.parametrize("url", ["s3://", "s3://key:secret@bucket/x", "gs://b?x=1", "http://x", ""])
def test_a_url_that_is_neither_folder_nor_bucket_is_reported(url: str) -> None:
    with pytest.raises(InvalidInput, match="ZELADOR_REGISTRY__URL"):
        Registry.open(url)


def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    store = Folder(tmp_path / "registry")
    for key in ("../x", "/etc/passwd", "a/../../x", ""):
        with pytest.raises(InvalidInput):
            store.create(key, b"")
