"""Damaged archives: in their layout, in the manifest's JSON, and in the ONNX file, in turn."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator

import msgspec
import onnx

from registry.bundle import bundle
from registry.errors import BundleRefused
from registry.facts import describe_model
from registry.log.state import Model, State
from registry.model.manifest import describe
from registry.model.onnx.audit import audit
from tests.attacks import zip_files
from tests.attacks.test_onnx_audit import mutant, same
from tests.malformed.generate import random_json
from tests.onnx_models import compiled

LIMIT = 8 << 20
NAMES = ("LogisticRegression", "KNeighbors", "RandomForest", "GaussianNB", "SVC", "MLP")


def run(seed: int, count: int) -> Iterator[tuple[bytes, Callable[[bytes], str]]]:
    chance = random.Random(seed)
    good = zip_files.good()
    saved, files = bundle.read(good, LIMIT)
    text = json.loads(msgspec.json.encode(saved))
    models = [compiled(name) for name in NAMES]
    for number in range(count):
        match number % 3:
            case 0:
                data = _layout(chance, good)
            case 1:
                data = _manifest(chance, text, files)
            case _:
                yield mutant(chance.choice(models), chance), _onnx
                continue
        yield data, _read


def _layout(chance: random.Random, good: bytes) -> bytes:
    found = bytearray(good)
    for _ in range(chance.randint(1, 5)):
        near_end = len(found) - 1 - chance.randrange(min(500, len(found)))
        at = chance.choice((chance.randrange(60), near_end, chance.randrange(len(found))))
        match chance.randrange(3):
            case 0:
                found[at % len(found)] = chance.randrange(256)
            case 1:
                del found[at : at + chance.randint(1, 30)]
            case _:
                found[at:at] = found[near_end : near_end + chance.randint(1, 60)]
    return bytes(found)


def _manifest(chance: random.Random, text: dict, files: dict[str, bytes]) -> bytes:  # type: ignore[type-arg]
    found = json.loads(json.dumps(text))
    for _ in range(chance.randint(1, 4)):
        part = chance.choice((found, found["metadata"], found["features"][0] if found.get("features") else found))
        key = chance.choice([*part, "metrics", "folds", "confusion", "tags", "data", "z"])
        part[key] = random_json(chance, 0)
        if not isinstance(found.get("metadata"), dict) or not isinstance(found.get("features"), list):
            break
        if not found["features"] or not isinstance(found["features"][0], dict):
            break
    raw = json.dumps(found, ensure_ascii=True).encode()
    return _zipped({**files, "manifest.json": raw})


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for path, data in files.items():
            packed.writestr(path, data)
    return buffer.getvalue()


def _read(data: bytes) -> str:
    try:
        saved, files = bundle.read(data, LIMIT)
    except BundleRefused:
        return "refused"
    for path, content in files.items():
        describe(content)
        assert len(path) < 1_000
    model = Model("x", "y", "0" * 64, saved.metadata, "", "")
    json.dumps(describe_model(model, State()), allow_nan=False).encode()
    return "read"


def _onnx(data: bytes) -> str:
    if audit(data) is not None:
        return "ONNX refused"
    assert same(data), "ONNX's parser sees something else"
    onnx.load_from_string(data)
    return "ONNX passed"
