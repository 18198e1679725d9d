"""A candidate of a run is stored once, and registered without another copy. Run and model are independent."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from registry.errors import DuplicateName, ModelRefused
from registry.model import manifest
from registry.model.artifact import manifest_of, pack
from registry.registry import Registry
from registry.store import Folder
from tests.memory_store import Memory
from tests.s3_server import BUCKET, run_s3
from tests.small_models import rows_and_labels, upload
from zelador.clock import now_iso
from zelador.errors import NotFound, Unavailable
from zelador.settings import RegistrySettings

RUN = "20261124_115838-aaaa"
KEY = "5f" * 32


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """The files of a candidate, as the trainer's child writes them."""
    packed = {**pack(upload(), "LogisticRegression"), "report/empty.txt": b""}
    return {**packed, manifest.FILE: manifest.encode(manifest_of(upload(), "LogisticRegression", packed, now_iso()))}


@pytest.fixture
def source(tmp_path: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        target = tmp_path / "source" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return tmp_path / "source"


@pytest.fixture(scope="module")
def s3() -> Iterator[list[str]]:
    with run_s3() as options:
        yield [f"{key}={value}" for key, value in options.items()]


@pytest.fixture(params=["folder", "bucket"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "folder":
        return Registry.open(RegistrySettings(url=str(tmp_path / "registry"), signing_key=[KEY]))
    options = request.getfixturevalue("s3")
    return Registry.open(RegistrySettings(url=f"s3://{BUCKET}/{tmp_path.name}", bucket=options, signing_key=[KEY]))


def test_a_candidate_can_be_registered_twice_and_survives_its_run(registry: Registry, source: Path) -> None:
    registry.put_candidate(RUN, 1, source)
    with pytest.raises(NotFound):
        registry.register_candidate(RUN, 2, "two", by="test")
    first = registry.register_candidate(RUN, 1, "one", by="test", why="the best")
    with pytest.raises(DuplicateName):
        registry.register_candidate(RUN, 1, "one", by="test")
    second = registry.register_candidate(RUN, 1, "two", by="test")
    assert first.upload != second.upload
    assert registry.manifest("two").name == "two"
    for item in list(registry._store.list(f"runs/{RUN}")):
        registry._store.delete(item.key)
    registry.delete("one", by="test")
    assert registry.collect(by="test", grace_s=-1).removed == (first.payload,)
    rows, _ = rows_and_labels()
    assert registry.load("two").classify(rows[:50]).labels == registry.pipeline("two").predict(rows[:50]).tolist()
    assert [finding for finding in registry.verify().findings if finding.fault] == []


def test_a_candidate_survives_its_model(registry: Registry, source: Path) -> None:
    registry.put_candidate(RUN, 1, source)
    registry.register_candidate(RUN, 1, "one", by="test")
    registry.delete("one", by="test")
    registry.collect(by="test", grace_s=-1)
    assert registry.register_candidate(RUN, 1, "again", by="test").name == "again"
    assert registry.load("again").name == "again"


@pytest.mark.parametrize("path", ["model.skops", "golden.json", "manifest.json"])
def test_a_candidate_that_was_altered_is_not_registered(registry: Registry, source: Path, path: str) -> None:
    registry.put_candidate(RUN, 1, source)
    key = f"runs/{RUN}/candidates/1/{path}"
    registry._store.put_stream(key, [registry._store.read(key).replace(b"1", b"2", 1)])
    with pytest.raises(ModelRefused):
        registry.register_candidate(RUN, 1, "one", by="test")
    assert registry.sync().models == {}


def test_a_candidate_that_is_altered_after_its_check_does_not_load(tmp_path: Path, source: Path) -> None:
    """Registering reads and checks each file, then copies it inside the store."""
    store = Folder(tmp_path / "registry")
    registry, copy = Registry.on(store), store.copy

    def altered(origin: str, key: str) -> None:
        store.put_stream(origin, [store.read(origin) + b" "])
        copy(origin, key)

    registry.put_candidate(RUN, 1, source)
    store.copy = altered
    registry.register_candidate(RUN, 1, "one", by="test")
    with pytest.raises(ModelRefused, match="does not match its digest"):
        registry.load("one")


class Counting(Folder):
    written = 0

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        pieces = list(pieces)
        self.written += sum(map(len, pieces))
        super().put_stream(key, pieces)


def payload_of(source: Path) -> dict[str, int]:
    sizes = {path.relative_to(source).as_posix(): path.stat().st_size for path in source.rglob("*") if path.is_file()}
    del sizes[manifest.FILE]
    return sizes


def test_a_candidates_bytes_are_written_once(tmp_path: Path, source: Path) -> None:
    store, sizes = Counting(tmp_path / "registry"), payload_of(source)
    registry = Registry.on(store)
    before = store.written
    registry.put_candidate(RUN, 1, source)
    described = len(registry._store.read(f"runs/{RUN}/candidates/1/{manifest.FILE}"))
    assert store.written - before == sum(sizes.values()) + described
    before = store.written
    model = registry.register_candidate(RUN, 1, "one", by="test")
    assert store.written - before < described + 1_000  # its own manifest
    for path in registry.manifest("one").files:
        kept, registered = (
            store.path / f"runs/{RUN}/candidates/1" / path,
            store.path / "models" / model.payload / path,
        )
        assert kept.samefile(registered)


def test_a_file_system_without_hard_links(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry.open(tmp_path / "registry")
    registry.put_candidate(RUN, 1, source)

    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", link)
        registry._store.copy(f"runs/{RUN}/candidates/1/model.skops", "models/x/y/model.skops")
        registry._store.copy(f"runs/{RUN}/candidates/1/report/empty.txt", "models/x/y/empty.txt")
    for path, name in (("model.skops", "model.skops"), ("report/empty.txt", "empty.txt")):
        assert registry._store.read(f"models/x/y/{name}") == (source / path).read_bytes()
    copied = registry._store.path / "models/x/y/model.skops"
    assert not copied.samefile(registry._store.path / f"runs/{RUN}/candidates/1/model.skops")


def test_a_folder_that_a_collection_removed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, link, calls = Folder(tmp_path / "registry"), os.link, []
    store.put_stream("runs/a", [b"payload"])

    def removed_once(origin: Path, final: Path) -> None:
        if not calls:
            final.parent.rmdir()
        calls.append(final)
        link(origin, final)

    monkeypatch.setattr(os, "link", removed_once)
    store.copy("runs/a", "models/x/y/a")
    assert (store.read("models/x/y/a"), len(calls)) == (b"payload", 2)


def test_copying_a_missing_candidate_gives_one_sentence(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(registry._store, "_wait"):
        monkeypatch.setattr(registry._store, "_wait", lambda _: None)
    with pytest.raises(Unavailable, match=r"cannot be written .*ZELADOR_REGISTRY__URL"):
        registry._store.copy("runs/none", "models/x/y/none")


class Dying(Memory):
    """Dies at the `steps`-th write of payload, before it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 1_000

    def put_stream(self, key: str, pieces: Iterable[bytes]) -> None:
        if key.startswith(("runs/", "models/")):
            self.steps -= 1
            if self.steps == 0:
                raise KeyboardInterrupt
        super().put_stream(key, pieces)


def test_a_model_is_whole_or_absent_wherever_the_writer_dies(source: Path) -> None:
    """The writer dies at each write of the payload in turn: no model exists then, and a retry succeeds."""
    files = len(payload_of(source))
    for step in range(1, files + 1):
        store = Dying()
        registry = Registry.on(store)
        registry.put_candidate(RUN, 1, source)
        store.steps = step
        with pytest.raises(KeyboardInterrupt):
            registry.register_candidate(RUN, 1, "one", by="test")
        assert registry.sync().models == {}
        assert registry.register_candidate(RUN, 1, "one", by="test").name == "one"
        assert registry.load("one").name == "one"
        assert len(registry.collect(by="test", grace_s=-1).condemned) == (1 if step > 1 else 0)
