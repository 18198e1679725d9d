"""Archives from strangers, sent to a real API process: each is refused in time, and the process does not grow.

Before there was a cage, a few kilobytes took gigabytes, hung the API until it was killed, or crashed it: compiled code
of scikit-learn follows indices that a file made up, ONNX Runtime runs any graph, and nothing bounded model.skops.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.tree import DecisionTreeClassifier

from command.up.ports import choose
from operations.key_file import new_key
from registry.bundle import bundle
from registry.cage.cage import MIB, Cage, Limits
from registry.cage.check import check_archive
from registry.errors import BundleRefused, ModelRefused
from registry.model.artifact import Upload
from registry.model.manifest import Feature
from registry.registry import Registry
from tests.attacks import strangers
from tests.small_models import select_one
from zelador.settings import RegistrySettings

ZIP = {"Content-Type": "application/zip"}
MAX_GROWTH = 100 * MIB
KEY = "ab" * 32


@pytest.fixture(scope="module")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """The API as a separate process, with a selected model."""
    home = tmp_path_factory.mktemp("home")
    select_one(home / "registry")
    _, key = new_key(home / "keys.json")
    port = choose(["api"], {}, {})["api"]
    given = {
        "REDIS__URL": redis_url,
        "REDIS__PREFIX": home.name,
        "REGISTRY__URL": str(home / "registry"),
        "API__PORT": str(port),
        "API__KEYS_FILE": str(home / "keys.json"),
        "API__MAX_UPLOAD_BYTES": str(64 * MIB),
    }
    environment = {**os.environ, **{f"ZELADOR_{name}": value for name, value in given.items()}}
    with subprocess.Popen([sys.executable, "-m", "zelador", "api"], env=environment, cwd=home) as process:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60.0) as client:
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    client.get("/healthz")
                    break
                time.sleep(0.05)
            yield client, psutil.Process(process.pid)
        process.terminate()
        process.wait(60)


def refused(api: tuple[httpx.Client, psutil.Process], data: bytes) -> str:
    """The reason why the upload is refused; within 30 s, and the process neither ends nor grows."""
    client, process = api
    before, started = process.memory_info().rss, time.monotonic()
    answer = client.post("/v1/models?name=stranger", content=data, headers=ZIP)
    assert answer.status_code in (400, 413, 422), answer.text
    assert time.monotonic() - started < 45  # 30, plus a margin for a busy machine
    assert process.is_running()
    assert process.memory_info().rss - before < MAX_GROWTH
    return str(answer.json()["detail"])


def archived(upload: Upload, name: str = "m", **facts: object) -> bytes:
    from registry.model.artifact import manifest_of, pack

    files = pack(upload, name)
    return bundle.pack(manifest_of(upload, name, files, "2026-01-01T00:00:00.000Z"), files)


@pytest.mark.parametrize("what", strangers.ALTERED)
def test_state_that_cannot_come_from_training_is_refused(what: str) -> None:
    """The state is refused for the right reason; differing golden rows or a crash of the child would be luck."""
    make, alter = strangers.ALTERED[what]
    with pytest.raises(BundleRefused, match=r"training does not produce|allow-list|more than 512 MiB of memory"):
        check_archive(strangers.altered(make(), alter), 64 * MIB, False)


def test_the_api_refuses_it_and_keeps_running(api: tuple[httpx.Client, psutil.Process]) -> None:
    for what in ("left child far away", "arrays without numbers"):
        make, alter = strangers.ALTERED[what]
        refused(api, strangers.altered(make(), alter))


@pytest.mark.attack_long
def test_a_skops_file_that_is_a_bomb_is_refused_before_skops_opens_it(
    api: tuple[httpx.Client, psutil.Process],
) -> None:
    assert "too large when unpacked" in refused(api, strangers.packed(strangers.schema(65)))
    assert "too large when unpacked" in refused(api, strangers.packed(strangers.attribute_of_zeros(70)))
    assert "nested too deep" in refused(api, strangers.packed(strangers.nested(100_000)))
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        assert "a compression method that models never use" in refused(
            api, strangers.packed(strangers.packed_by(method))
        )


def test_graphs_that_take_memory_or_never_end_are_refused(api: tuple[httpx.Client, psutil.Process]) -> None:
    refused(api, strangers.packed(onnx_bytes=strangers.constant(500_000_000)))
    refused(api, strangers.packed(onnx_bytes=strangers.leak("keys.json", 16), classes=tuple(map(str, range(16)))))
    client, _ = api
    assert client.get("/healthz").status_code == 200


def test_golden_rows_are_required_and_nan_is_not_an_answer(api: tuple[httpx.Client, psutil.Process]) -> None:
    assert "has no rows" in refused(api, strangers.packed(rows=strangers.NO_ROWS))
    assert "has no rows" in refused(api, strangers.packed(onnx_bytes=strangers.plain()[0], rows=strangers.NO_ROWS))
    nan = json.dumps({"rows": [[1, 1, 1]], "labels": ["0"], "probabilities": [[0, 0, 0]]}).encode()
    assert "does not fit the model" in refused(api, strangers.packed(rows=nan))
    from sklearn.dummy import DummyClassifier

    estimator = DummyClassifier(strategy="prior").fit(strangers.ROWS, strangers.LABELS)
    rows = strangers.honest_rows(estimator)
    estimator.class_prior_ = np.array([np.nan, np.nan])
    assert "does not answer its golden rows" in refused(api, strangers.packed(skops.io.dumps(estimator), rows=rows))


def test_a_child_that_reaches_a_limit_says_which() -> None:
    """Tests each limit separately, with small numbers."""
    data = strangers.packed(onnx_bytes=strangers.loop())
    with contextlib.suppress(BundleRefused):
        check_archive(strangers.packed(), MIB, False)  # the template is warm
    with pytest.raises(BundleRefused, match=r"processor time|refused|operator|Loop"):
        check_archive(data, 64 * MIB, False, Limits(cpu_s=1))
    with pytest.raises(BundleRefused, match=r"longer than 0.5 s|refused|operator|Loop"):
        check_archive(data, 64 * MIB, False, Limits(wall_s=0.5))


def test_the_cage_has_no_files_no_network_and_no_access_to_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code in the cage reads no file of ours, reaches no network, and ends with the request."""
    monkeypatch.setenv("ZELADOR_REGISTRY__SIGNING_KEY", KEY)
    with Cage() as cage:
        ready = cage.ready()
        assert ready is not None
        if sys.platform == "linux":
            assert ready.memory
            assert ready.network in ("seccomp", "namespace")
        assert cage.alive
        child = psutil.Process(cage._process)
        assert not [name for name in child.environ() if name.startswith("ZELADOR_")]
        assert list(Path(child.cwd()).glob("*.json")) == []
        folder = Path(child.cwd())
    assert psutil.wait_procs([child], timeout=10)[1] == []
    assert not folder.exists()


@pytest.mark.attack_long
def test_bytes_for_a_librarys_own_parser_are_accepted_only_from_ourselves(tmp_path: Path) -> None:
    """LightGBM's model is a text for a parser in C++: from strangers it is left out, or refused."""
    rows, labels = strangers.ROWS, strangers.LABELS.astype(str)
    model = LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(rows, labels)
    features = tuple(Feature(name) for name in strangers.FEATURES)
    signed = Registry.open(RegistrySettings(url=str(tmp_path / "ours"), signing_key=(KEY,)))
    signed.save("lgbm", Upload(model, features, ("0", "1"), probe=rows[:5]), by="test")
    exported = bundle.of(signed, "lgbm")
    stranger = Registry.open(RegistrySettings(url=str(tmp_path / "other")))
    with pytest.raises(BundleRefused, match="--trust"):
        stranger.admit(exported, 64 * MIB)
    assert "model.skops" in stranger.admit(exported, 64 * MIB, trust=True).files
    assert "model.skops" in signed.admit(exported, 64 * MIB).files  # its own signature comes back

    compiled, rows_of_it = strangers.plain()
    packed = strangers.packed(skops.io.dumps(model), onnx_bytes=compiled, rows=rows_of_it)
    taken = stranger.admit(packed, 64 * MIB)
    assert taken.left_out == ("model.skops",)
    assert "model.skops" not in taken.files
    registered = stranger.add("onnx-only", taken.files, taken.manifest, by="test")
    assert stranger.load("onnx-only").classify(rows[:2]).labels == labels[:2].tolist()
    assert bundle.of(stranger, registered.name)
    with pytest.raises(Exception, match="only its compiled form"):
        stranger.pipeline("onnx-only")


def test_a_copied_registry_goes_through_the_cage_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here has checked the models in a copied folder; without a key, its marks prove nothing."""
    registry = select_one(tmp_path / "registry")
    asked: list[str] = []
    from registry import registry as module
    from registry.cage.check import check_model as check

    def counted(*arguments: object, **named: object) -> None:
        asked.append("")
        check(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "check_model", counted)
    registry.load("small")
    assert asked == []  # made here
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    for _ in range(2):
        Registry.open(tmp_path / "registry").load("small")
    assert len(asked) == 1
    signed = RegistrySettings(url=str(tmp_path / "signed"), signing_key=(KEY,))
    other = Registry.open(signed)
    from tests.small_models import upload

    other.save("small", upload(), by="test")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a third"))
    Registry.open(signed).load("small")
    assert len(asked) == 1  # a signed mark counts everywhere
    (mark,) = (tmp_path / "signed" / "models").rglob("passed-serving.json")
    mark.write_bytes(mark.read_bytes().replace(b"serving", b"pipeline"))
    Registry.open(signed).load("small")
    assert len(asked) == 2


def test_a_tree_in_a_copied_registry_that_crashes_its_loader(tmp_path: Path) -> None:
    """A worker that loads an unchecked model refuses it with a reason, and survives."""
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(strangers.ROWS, strangers.LABELS.astype(str))
    registry = Registry.open(tmp_path)
    features = tuple(Feature(name) for name in strangers.FEATURES)
    saved = Upload(tree, features, ("0", "1"), probe=strangers.ROWS[:5])
    files_of = archived(saved)
    found, files = bundle.opened(files_of, 64 * MIB)
    files["model.skops"] = strangers.node("left_child", 2**40)(tree)
    from registry.model import manifest

    described = {path: manifest.describe(data) for path, data in files.items()}
    import msgspec

    registry.add("bad", files, msgspec.structs.replace(found, files=described), by="copy", passed=False)
    with pytest.raises(ModelRefused, match="training does not produce"):
        registry.load("bad")


@pytest.mark.attack_long
@pytest.mark.parametrize("what", strangers.ALTERED)
def test_the_api_refuses_each_and_keeps_running(api: tuple[httpx.Client, psutil.Process], what: str) -> None:
    make, alter = strangers.ALTERED[what]
    refused(api, strangers.altered(make(), alter))


@pytest.mark.attack_long
def test_the_large_ones(api: tuple[httpx.Client, psutil.Process]) -> None:
    assert "too large when unpacked" in refused(api, strangers.packed(strangers.schema(1_500)))
    assert "too large when unpacked" in refused(api, strangers.packed(strangers.attribute_of_zeros(1_500)))
    assert "more than 50000 files" in refused(api, strangers.packed(strangers.many_members(60_000)))
    refused(api, strangers.packed(onnx_bytes=strangers.loop()))
    refused(api, strangers.packed(onnx_bytes=strangers.constant(5_000_000_000)))
    huge = json.dumps({"rows": [[1, 1, 1]] * 300_000, "labels": ["0"] * 300_000, "probabilities": None}).encode()
    refused(api, strangers.packed(rows=huge))
