"""Manifests and metadata from strangers, and odd ones that were registered before they were checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from command.main import app
from registry.bundle import bundle
from registry.card import card_html, card_markdown, card_of
from registry.errors import BundleRefused, DuplicateName
from registry.facts import describe_model
from registry.functions import save_model
from registry.model.artifact import manifest_of, pack
from registry.model.manifest import File
from registry.model.manifest_shape import MAX_METADATA, SHAPES, check_metadata, shown, shown_document
from registry.names import check_name, check_new_name, check_new_names
from registry.registry import Feature, Query, Registry
from tests import small_models
from tests.memory_store import Memory
from zelador.errors import Corrupt, InvalidInput

LIMIT = 64 << 20


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = {"z": found}
    return found


ODD: dict[str, dict[str, Any]] = {
    "300 deep": {"z": nested(300)},
    "a list 300 deep": {"z": json.loads("[" * 300 + "]" * 300)},
    "64 KiB and more": {"z": "x" * MAX_METADATA},
    "many keys": {f"key-{number}": number for number in range(10_000)},
    "a long key": {"k" * 300: 1},
    "a number of 65 bits": {"z": 1 << 64},
    "a number of 4,000 digits": {"z": 10**3_999},
    "metrics as text": {"metrics": "x"},
    "metrics as a list": {"metrics": [1, 2]},
    "metrics of texts": {"metrics": {"F1": "0.9"}},
    "metrics of truth": {"metrics": {"F1": True}},
    "metrics of mappings": {"metrics": {"F1": {"x": 1}}},
    "hold-out as a number": {"holdout": 0.9},
    "folds of numbers": {"folds": {"F1": 0.9}},
    "folds of texts": {"folds": {"F1": ["0.9"]}},
    "confusion as a list": {"confusion": [1]},
    "confusion without counts": {"confusion": {"labels": ["a"]}},
    "confusion that is not square": {"confusion": {"labels": ["a", "b"], "counts": [[1, 2], [3]]}},
    "confusion of texts": {"confusion": {"labels": ["a"], "counts": [["x"]]}},
    "confusion below zero": {"confusion": {"labels": ["a"], "counts": [[-1]]}},
    "confusion of numbered labels": {"confusion": {"labels": 2, "counts": [[1, 2], [3, 4]]}},
    "tags as text": {"tags": "a"},
    "tags of numbers": {"tags": [1]},
    "tags of lists": {"tags": [["a"]]},
    "versions as text": {"versions": "1.0"},
    "versions of lists": {"versions": {"python": ["3"]}},
    "data as text": {"data": "rows"},
    "rows of the data as text": {"data": {"rows": "many"}},
    "classes of the data as a list": {"data": {"classes": [1]}},
    "notes of the data as a number": {"data": {"notes": 7}},
    "a description as a mapping": {"description": {"x": 1}},
    "a long description": {"description": "x" * 20_001},
    "notes as a list": {"notes": ["a"]},
    "a type as a number": {"model_type": 7},
    "a metric as a mapping": {"metric": {"x": 1}},
    "a run as a list": {"run": ["x"]},
    "a rank as text": {"rank": "first"},
    "a rank of truth": {"rank": True},
    "parameters as a list": {"parameters": [1]},
    "agreement as text": {"agreement": "yes"},
    "imported as a list": {"imported": [1]},
    "positive as a list": {"positive": ["x"]},
    "probabilities as text": {"has_probabilities": "yes"},
    "half a character": {"z": "\ud800"},
}
LOGGED = [name for name in ODD if name != "half a character"]  # which JSON in UTF-8 cannot contain


@cache
def small(name: str) -> tuple[Any, dict[str, bytes]]:
    upload = small_models.upload()
    files = pack(upload, name)
    return manifest_of(upload, name, files, "2026-01-01T00:00:00.000Z"), files


@pytest.fixture
def packed() -> tuple[Any, dict[str, bytes]]:
    return small("good")


@pytest.mark.parametrize("name", LOGGED)
def test_odd_metadata_in_an_archive_is_refused(name: str, packed: tuple[Any, dict[str, bytes]]) -> None:
    """If such a model were registered, neither the list of models nor the audit log could be read."""
    saved, files = packed
    bad = msgspec.structs.replace(saved, metadata={**saved.metadata, **ODD[name]})
    with pytest.raises(BundleRefused):
        bundle.opened(bundle.pack(bad, files), LIMIT)


STRUCTURES: dict[str, Callable[[Any], Any]] = {
    "a feature twice": lambda m: {"features": m.features[:1] * 2},
    "a feature without a name": lambda m: {"features": (Feature(""), *m.features[1:])},
    "a long feature": lambda m: {"features": (Feature("x" * 300), *m.features[1:])},
    "a feature with an escape": lambda m: {"features": (Feature("\x1b[2J"), *m.features[1:])},
    "a feature with a line end": lambda m: {"features": (Feature("a\nb"), *m.features[1:])},
    "many features": lambda m: {"features": tuple(Feature(f"x{n}") for n in range(10_001))},
    "a long unit": lambda m: {"features": (Feature("lux", "x" * 100), *m.features[1:])},
    "an infinite range": lambda m: {"features": (Feature("lux", "", 0.0, float("inf")), *m.features[1:])},
    "a class twice": lambda m: {"classes": ("no", "no")},
    "a class without a name": lambda m: {"classes": ("no", "")},
    "a long class": lambda m: {"classes": ("no", "x" * 300)},
    "many classes": lambda m: {"classes": tuple(f"c{n}" for n in range(10_001))},
    "many files": lambda m: {"files": {**m.files, **{f"report/{n}.txt": File("0" * 64, 1) for n in range(300)}}},
    "a digest that is none": lambda m: {"files": {**m.files, "report/x.txt": File("x", 1)}},
    "a size below zero": lambda m: {"files": {**m.files, "report/x.txt": File("0" * 64, -1)}},
}


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_an_odd_manifest_is_refused(name: str, packed: tuple[Any, dict[str, bytes]]) -> None:
    saved, files = packed
    bad = msgspec.structs.replace(saved, **STRUCTURES[name](saved))
    with pytest.raises(InvalidInput):
        Registry.on(Memory()).add("bad", files, bad, by="me")
    if name != "an infinite range":  # JSON cannot express it
        with pytest.raises(BundleRefused):
            bundle.opened(bundle.pack(bad, files), LIMIT)


def test_a_manifest_of_only_brackets_is_refused(packed: tuple[Any, dict[str, bytes]]) -> None:
    _, files = packed
    import io
    import zipfile

    for text in (b"[" * 500_000, b'{"metadata":' * 50_000, b"null", b"{}", b"\xff", b'{"format":1e999}'):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as zipped:
            for path, data in {**files, "manifest.json": text}.items():
                zipped.writestr(path, data)
        with pytest.raises(BundleRefused):
            bundle.opened(buffer.getvalue(), LIMIT)


def test_our_own_metadata_is_checked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = small_models.fitted()
    own: dict[str, Any] = {}
    own["own"] = own
    for metadata, said in (
        ({"metrics": {"F1": "0.9"}}, r"metadata\.metrics: must be numbers by name"),
        ({"tags": "a"}, r"metadata\.tags: must be a list of short texts"),
        ({"z": nested(40)}, "nested more than 32 deep"),
        ({"own": own}, "nested more than 32 deep"),
        ({"z": "x" * 70_000}, "bytes as JSON"),
        ({"z": 1 << 70}, "more than 64 bits"),
    ):
        with pytest.raises(InvalidInput, match=said):
            save_model(model, "bad", metadata)
    save_model(model, "good", {"metrics": {"F1": float("nan"), "AUC": 0.9}, "tags": ["a"], "own": nested(30)})


def registry_with(metadata: dict[str, Any], store: Any = None) -> Registry:
    """A registry as an older version or an editor left it: nothing checked the content of its log."""
    registry = Registry.on(Memory() if store is None else store)
    for name in ("fine", "odd"):
        saved, files = small(name)
        placed = registry._payload.put(name, files, saved)
        listed = {"features": ["lux"], "classes": ["no"], **(metadata if name == "odd" else {"metrics": {"F1": 0.5}})}
        op = {"op": "register", "name": name, "upload": placed.upload, "digest": placed.digest, "metadata": listed}
        registry._log.commit(lambda _, op=op: [op], by="me")
    return registry


@pytest.mark.parametrize("name", LOGGED)
def test_one_odd_model_affects_no_other(name: str) -> None:
    """Lists, cards and API answers work for all models, and the odd model names what is damaged."""
    registry = registry_with(ODD[name])
    for sort in ("-saved_at", "metrics.F1", "-holdout", "rank", "z", "tags", "confusion.counts", "description"):
        assert {model.name for model in registry.find(Query(sort))} == {"fine", "odd"}
    assert [m.name for m in registry.find(Query(text="fine"))] == ["fine"]
    registry.find(Query(equal=(("rank", 1),), least=(("metrics.F1", 0.1),)))
    for model in registry.find():
        found = describe_model(model, registry.state)
        assert json.dumps(found, allow_nan=False)
        assert msgspec.json.encode(found)
        card = card_of(registry, model.name)
        assert "odd" in card_html(card) + card_markdown(card) or model.name == "fine"
    odd = dict(describe_model(registry.state.model("odd"), registry.state))
    fine = dict(describe_model(registry.state.model("fine"), registry.state))
    assert "damaged" not in fine
    if name not in ("64 KiB and more", "many keys"):  # too much for a new model, and harmless in an old one
        assert odd["damaged"]
    registry.annotate("odd", {"notes": "still writable"}, by="me")
    registry.select("odd", by="me")


@pytest.mark.attack_long
def test_the_command_line_shows_every_model_whatever_one_contains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An AttributeError ended `models list` and `show` for one manifest with metrics of text."""
    from registry.store import Folder

    monkeypatch.chdir(tmp_path)
    every: dict[str, Any] = {}
    for name in LOGGED:
        every.update(ODD[name])
    registry_with(every, Folder(tmp_path / ".zelador" / "registry"))
    run = CliRunner()
    for command in (["list"], ["list", "--json"], ["show", "odd"], ["card", "odd"], ["compare", "odd", "fine"]):
        told = run.invoke(app, ["models", *command])
        assert told.exit_code == 0, (command, told.output, told.exception)
    assert "damaged" in run.invoke(app, ["models", "show", "odd"]).output


def test_a_damaged_report_is_mentioned_on_the_card(packed: tuple[Any, dict[str, bytes]]) -> None:
    from registry.model.manifest import describe

    saved, files = packed
    odd = (
        b"[" * 100_000,
        b"[]",
        b"x",
        b'{"roc": {"a": 1}}',
        b'{"calibration": {"a": {"said": [1], "was": [1], "rows": [-4]}}}',
        b'{"threshold": {"a": {"threshold": [null], "recall": ["x"], "precision": [1], "f1": [1]}}}',
        b'{"threshold": {"a": {"threshold": [], "recall": [], "precision": [], "f1": []}}}',
        b'{"importance": {"features": [{"feature": {}, "mean": 1e308, "spread": 1e308}]}, "training": {"lux": 3}}',
        b'{"roc": {"a": {"false_alarms": [{}], "found": ["x"]}}, "calibration": 7}',
        b'{"importance": {"features": [1]}}',
    )
    for report in odd:
        registry = Registry.on(Memory())
        with_report = {**files, "report/report.json": report}
        described = msgspec.structs.replace(saved, files={path: describe(data) for path, data in with_report.items()})
        registry.add("odd", with_report, described, by="me")
        card = card_of(registry, "odd")
        assert "Limits" in card_html(card)
        assert "Limits" in card_markdown(card)
    assert shown_document(b"{" * 1_000_000) == {}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from([*SHAPES, "z", "other"]), values, max_size=6))
def test_shown_metadata_is_valid_json_and_checked_metadata_is_shown_whole(metadata: dict[str, Any]) -> None:
    found, damaged = shown(metadata)
    json.dumps(found, allow_nan=False).encode()
    assert set(found) | set(damaged) == set(metadata)
    try:
        check_metadata(metadata)
    except InvalidInput:
        return
    assert damaged == []


# ── names ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["CON", "con", "Nul", "nul.txt", "COM1", "com1.zip", "LPT9", "aux.tar.gz", "prn"])
def test_names_of_devices_are_refused_for_new_models(name: str) -> None:
    with pytest.raises(InvalidInput, match="device on Windows"):
        check_new_name(name, ())
    assert check_name(name) == name  # an older model that has it is still read


@pytest.mark.parametrize("name", ["CONSOLE", "com", "com10", "nul_1", "a.con", "auxiliary", "lpt"])
def test_names_that_only_resemble_devices_are_accepted(name: str) -> None:
    assert check_new_name(name, ("other",)) == name


@pytest.mark.parametrize("name", ["a.", "a ", " a", "a..b", "a/b", "a\\b", "a:b", "é", ""])
def test_names_that_no_folder_can_have_everywhere(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_new_name(name, ())


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a", "a"], "'a' is named twice"),
        (["best", "Best"], "'Best' is named twice"),
        (["a", "con"], "device on Windows"),
        (["a", "../b"], "is not a name"),
        (["a", "TAKEN"], "there is a model 'taken' already"),
    ],
)
def test_names_for_several_models_are_checked_alone_and_against_each_other(names: list[str], says: str) -> None:
    with pytest.raises((InvalidInput, DuplicateName), match=says):
        check_new_names(names, ("taken",))
    check_new_names(["a", "b"], ("taken",))


def test_names_that_differ_only_by_case_are_refused_and_old_pairs_stay(
    packed: tuple[Any, dict[str, bytes]],
) -> None:
    saved, files = packed
    registry = registry_with({})
    upload = registry.state.model("fine").upload
    registry._log.commit(
        lambda _: [{"op": "register", "name": "Fine", "upload": f"{upload[:-1]}x", "digest": "0" * 64, "metadata": {}}],
        by="an older version",
    )
    assert {"fine", "Fine"} <= {model.name for model in registry.find()}
    assert registry.load("fine").classes == ("no", "yes")
    with pytest.raises(DuplicateName, match="Windows and macOS"):
        registry.add("ODD", files, saved, by="me")
    with pytest.raises(DuplicateName, match="Windows and macOS"):
        registry.rename("fine", "ODD", by="me")
    with pytest.raises(DuplicateName, match="Windows and macOS"):
        registry.reserve("oDD", 60, by="me")
    registry.rename("odd", "Odd", by="me")
    assert Registry.on(registry._store).load("Odd").name == "Odd"


def test_a_damaged_run_is_reported_and_hides_no_other() -> None:
    registry = registry_with({})
    registry.put_run("20260101_000000-aaaa", {"run": "20260101_000000-aaaa"})
    store = registry._store
    for run, data in {
        "20260101_000000-bbbb": b"[" * 100_000,
        "20260101_000000-cccc": b"[]",
        "..odd name": b"{}",
    }.items():
        store.put_stream(f"runs/{run}/run.json", [data])
    assert registry.runs() == ["20260101_000000-aaaa", "20260101_000000-bbbb", "20260101_000000-cccc"]
    for run in registry.runs()[1:]:
        with pytest.raises(Corrupt, match=r"run\.json is not a run's document"):
            registry.run(run)
