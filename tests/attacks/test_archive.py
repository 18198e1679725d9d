"""Archives and copied folders from strangers: refused for the right reason, with little memory, and nothing hangs."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import socket
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from registry.bundle import bundle
from registry.errors import BundleRefused
from registry.log import entry as log_entry
from registry.registry import Registry
from registry.store import Folder
from registry.store.sizes import LIMITS, check_size
from tests import small_models
from tests.attacks import zip_files
from zelador.errors import Corrupt, ZeladorError

LONG = bool(os.environ.get("TEST_ATTACKS"))
HOSTILE = zip_files.hostile()
MIB = 1_048_576
LIMIT = 64 * MIB


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_an_archive_with_another_layout_is_refused(name: str) -> None:
    """Other methods raised errors that nobody caught; a directory of 600,000 entries took 1.4 GiB to count."""
    data = HOSTILE[name]()
    if LONG or name == "600,000 entries":
        tracemalloc.start()
    try:
        with pytest.raises(BundleRefused):
            bundle.opened(data, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LIMIT * 2.5


@pytest.mark.parametrize("count", [60_000, 600_000])
def test_a_directory_is_counted_before_it_is_read(count: int) -> None:
    data = zip_files.zip64(count)
    tracemalloc.start()
    with pytest.raises(BundleRefused):
        bundle.opened(data, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB


def test_archives_made_by_other_tools_are_accepted() -> None:
    data = zip_files.good()
    for packed in (
        data,
        zip_files.repacked(data),
        zip_files.repacked(data, zipfile.ZIP_STORED),
        zip_files.streamed(data),
    ):
        saved, files = bundle.opened(packed, LIMIT)
        assert saved.name == "good"
        assert "model.skops" in files


def test_a_mutated_archive_ends_in_a_verdict() -> None:
    chance, data = random.Random(3), zip_files.good()
    for _ in range(20_000 if LONG else 150):
        found = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            # mostly in the layout: the directory and the first header
            at = chance.choice(
                (chance.randrange(60), len(found) - 1 - chance.randrange(500), chance.randrange(len(found)))
            )
            found[max(0, at)] = chance.randrange(256)
        with contextlib.suppress(BundleRefused):
            bundle.opened(bytes(found), LIMIT)


# ── a copied folder ──────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "registry"
    Registry.open(path).save("good", small_models.upload(), by="me")
    return path


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "registry")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # its address may have 108 bytes
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def in_time(act: Any, within_s: float = 10.0) -> BaseException | None:
    """The exception that `act` raises. It runs on a thread, because it might never return."""
    raised: list[BaseException | None] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - told to the test
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=run, daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(within_s)
    assert raised, f"no answer in {time.monotonic() - began:.1f} s"
    return raised[0]


@pytest.mark.parametrize("put", [pipe, sparse, link, endless, a_socket])
@pytest.mark.parametrize("which", ["log", "manifest", "model"])
def test_files_that_are_not_ours_are_reported_and_never_block(folder: Path, put: Any, which: str) -> None:
    """A named pipe as the log's next entry hung every route; a sparse file of 3 GB was read whole."""
    registry = Registry.open(folder)
    seq = registry.state.seq
    places = {
        "log": folder / log_entry.key(seq + 1),
        "manifest": next(folder.rglob("manifest.json")),
        "model": next(folder.rglob("model.skops")),
    }
    places[which].unlink(missing_ok=True)
    places[which].parent.mkdir(exist_ok=True)
    put(places[which])
    acts = {
        "log": registry.changed,
        "manifest": lambda: registry.manifest("good"),
        "model": lambda: registry.pipeline("good"),
    }
    tracemalloc.start()
    error = in_time(acts[which])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(error, Corrupt), error
    assert places[which].name in str(error)
    assert peak < 64 * MIB
    assert in_time(lambda: registry.find()) is None or which == "log"


@pytest.mark.parametrize("put", [pipe, sparse, endless])
def test_the_registry_works_without_its_derived_files(folder: Path, put: Any) -> None:
    (folder / "registry.json").unlink()
    (folder / "checkpoints").mkdir(exist_ok=True)
    put(folder / "registry.json")
    put(folder / "checkpoints" / "00000002.json.zst")
    opened: list[Registry] = []
    assert in_time(lambda: opened.append(Registry.open(folder))) is None
    assert list(opened[0].state.models) == ["good"]
    assert "good" in (folder / "registry.json").read_text()
    assert in_time(opened[0].verify) is None


def test_a_commit_on_a_slot_that_is_not_a_file_fails_in_time(folder: Path) -> None:
    registry = Registry.open(folder)
    pipe(folder / log_entry.key(registry.state.seq + 1))
    assert isinstance(in_time(lambda: registry.select("good", by="me"), 20), ZeladorError)


def test_reads_of_unknown_content_have_a_limit() -> None:
    for start, end, size in LIMITS:
        key = f"{start or 'models/'}x{end}"
        check_size(key, size)
        with pytest.raises(Corrupt, match="at most"):
            check_size(key, size + 1)


def test_a_deep_folder_is_listed_to_a_limited_depth(tmp_path: Path) -> None:
    store = Folder(tmp_path / "store")
    deep = "/".join(["models", *["d"] * 12])
    store.put_stream(f"{deep}/file", [b"x"])
    path = tmp_path / "store" / "models"
    for _ in range(200):
        path /= "e"
        path.mkdir()
    (path / "file").write_bytes(b"x")
    assert [item.key for item in store.list("models")] == [f"{deep}/file"]


def test_the_archive_of_a_model_is_accepted_again(folder: Path) -> None:
    data = bundle.of(Registry.open(folder), "good")
    saved, files = bundle.opened(data, LIMIT)
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert set(packed.namelist()) == {*files, "manifest.json"}
    assert saved.name == "good"
