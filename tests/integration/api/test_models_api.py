"""Models over the API: listed, annotated, uploaded, downloaded; what is refused, and why."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from operations.key_file import new_key
from registry.bundle import bundle
from registry.model import manifest
from registry.registry import Registry
from tests.integration.api.test_api import READING, is_problem, serving
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import client as client
from tests.small_models import upload
from zelador.settings import Settings

ZIP = {"Content-Type": "application/zip"}


def repacked(data: bytes, **changes: bytes | None) -> bytes:
    """The archive with files added, replaced, or (None) left out; `__` stands for a dot."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        files: dict[str, bytes | None] = {name: packed.read(name) for name in packed.namelist()}
    files.update({name.replace("__", "."): content for name, content in changes.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            if content is not None:
                packed.writestr(name, content)
    return buffer.getvalue()


def described(data: bytes, path: str, content: bytes) -> bytes:
    """The archive with another file of that name, and a manifest that agrees with it."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        found = json.loads(packed.read("manifest.json"))
    found["files"][path] = {"sha256": manifest.describe(content).sha256, "size": len(content)}
    return repacked(data, **{path: content, "manifest__json": json.dumps(found).encode()})


def test_they_are_filtered_sorted_and_paged(client: httpx.Client, api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    for name, score in (("b", 0.5), ("a", 0.9), ("c", None)):
        registry.save(name, upload(with_probabilities=score is not None), by="test")
        registry.annotate(name, {"holdout": {"F1": score} if score else {}}, by="test")
    registry.tag("a", ["winter"], by="test")

    def names(**query: object) -> list[str]:
        answer = client.get("/v1/models", params=query)
        assert answer.status_code == 200, answer.text
        return [model["name"] for model in answer.json()["models"]]

    assert names(sort="name") == ["a", "b", "c", "small"]
    assert names() == ["c", "a", "b", "small"]
    assert names(sort="-holdout.F1")[:2] == ["a", "b"]
    assert names(sort="holdout.F1")[:2] == ["b", "a"]
    assert names(tag="winter", served_by="pipeline") == ["a"]
    assert names(model_type="Ridge") == ["c"]
    assert names(q="SMA") == ["small"]
    assert names(least=["holdout.F1:0.4", "holdout.F1:0.9"]) == ["a"]
    assert names(run="none") == []
    first = client.get("/v1/models", params={"limit": 3, "sort": "name"}).json()
    assert (first["total"], first["next"]) == (4, 3)
    last = client.get("/v1/models", params={"limit": 3, "offset": 3, "sort": "name"}).json()
    assert ([model["name"] for model in last["models"]], last["next"]) == (["small"], None)
    for wrong in ({"limit": 0}, {"least": "holdout.F1"}, {"least": "holdout.F1:nan"}):
        is_problem(client.get("/v1/models", params=wrong), 422, "invalid-input")


def test_annotating_needs_the_etag_of_the_state_it_is_based_on(client: httpx.Client, api_settings: Settings) -> None:
    seen = client.get("/v1/models/small").headers["etag"]
    body = {"description": "for line 2", "tags": ["b", "a"], "metadata": {"line": 2}, "why": "asked for"}
    is_problem(client.patch("/v1/models/small", json=body), 428, "precondition-required")
    is_problem(client.patch("/v1/models/none", json=body, headers={"If-Match": seen}), 404, "not-found")
    done = client.patch("/v1/models/small", json=body, headers={"If-Match": seen})
    assert done.status_code == 200
    assert (done.json()["description"], done.json()["tags"], done.json()["line"]) == ("for line 2", ["a", "b"], 2)
    is_problem(client.patch("/v1/models/small", json=body, headers={"If-Match": seen}), 412, "changed-meanwhile")
    fresh = {"If-Match": done.headers["etag"]}
    again = client.patch("/v1/models/small", json={"tags": ["c"]}, headers=fresh)
    assert (again.json()["tags"], again.json()["description"]) == (["c"], "for line 2")
    for key in ("features", "classes", "digest", "metrics"):
        refused = client.patch("/v1/models/small", json={"metadata": {key: "x"}}, headers={"If-Match": "*"})
        assert key in is_problem(refused, 422, "invalid-input")["detail"]
    change = client.get("/v1/audit").json()["changes"][1]
    assert (change["what"], change["target"]) == ("model annotated", "small")
    assert (change["before"]["tags"], change["after"]["tags"]) == ([], ["a", "b"])
    model = Registry.open(api_settings.registry.url).state.model("small")
    assert (model.tags, model.metadata["line"]) == (("c",), 2)


def test_renaming_is_part_of_the_same_change(client: httpx.Client, api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    for name in ("a", "b"):
        registry.save(name, upload(), by="test")
    seen = {"If-Match": client.get("/v1/models/a").headers["etag"]}
    is_problem(client.patch("/v1/models/a", json={"name": "z"}), 428, "precondition-required")
    for name in ("../x", "", "x" * 65, 7):
        is_problem(client.patch("/v1/models/a", json={"name": name}, headers=seen), 422, "invalid-input")
    is_problem(client.patch("/v1/models/a", json={"name": "b", "notes": "n"}, headers=seen), 409, "name-taken")
    refused = client.patch("/v1/models/small", json={"name": "z", "notes": "n"}, headers=seen)
    assert "select another one" in is_problem(refused, 409, "model-selected")["detail"]
    is_problem(client.patch("/v1/models/none", json={"name": "z"}, headers=seen), 404, "not-found")
    body = {"name": "line-2", "notes": "n", "tags": ["winter"], "why": "asked for"}
    done = client.patch("/v1/models/a", json=body, headers=seen)
    assert done.status_code == 200, done.text
    assert (done.json()["name"], done.json()["notes"], done.json()["tags"]) == ("line-2", "n", ["winter"])
    assert done.headers["content-location"] == "/v1/models/line-2"
    entry = json.loads(next(newest_entries(api_settings)))
    assert ([op["op"] for op in entry["ops"]], entry["why"]) == (["annotate", "tag", "rename"], "asked for")
    change = client.get("/v1/audit").json()["changes"][0]
    assert (change["what"], change["target"]) == ("model renamed", "a")
    assert (change["before"]["name"], change["after"]["name"], change["before"]["tags"]) == ("a", "line-2", [])
    is_problem(client.get("/v1/models/a"), 404, "not-found")
    is_problem(client.patch("/v1/models/line-2", json={"name": "z"}, headers=seen), 412, "changed-meanwhile")
    assert client.get(done.headers["content-location"]).json() == done.json()
    with zipfile.ZipFile(io.BytesIO(client.get("/v1/models/line-2/archive").content)) as packed:
        assert json.loads(packed.read("manifest.json"))["name"] == "line-2"
    same = client.patch("/v1/models/small", json={"name": "small"}, headers={"If-Match": done.headers["etag"]})
    assert (same.status_code, same.headers["etag"]) == (200, done.headers["etag"])


def newest_entries(settings: Settings) -> Iterator[str]:
    """The entries of the log, the newest first."""
    return (path.read_text() for path in sorted(Path(settings.registry.url, "log").glob("*.json"), reverse=True))


def test_a_free_name_belongs_to_its_new_model(client: httpx.Client, api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    registry.save("old", upload(), by="test")

    def asked(name: str) -> httpx.Response:
        return client.post("/v1/classify", json={"readings": [READING], "model": name})

    assert asked("old").json()["predictions"][0]["confidence"] is not None
    assert client.patch("/v1/models/old", json={"name": "new"}, headers={"If-Match": "*"}).status_code == 200
    is_problem(asked("old"), 404, "not-found")
    registry.save("old", upload(with_probabilities=False), by="test")
    assert asked("old").json()["predictions"][0]["confidence"] is None
    assert asked("new").json()["predictions"][0]["confidence"] is not None
    assert asked("new").json()["model"] == "new"


def test_a_deletion_keeps_its_reason(client: httpx.Client, api_settings: Settings) -> None:
    Registry.open(api_settings.registry.url).save("a", upload(), by="test")
    is_problem(client.delete("/v1/models/a", params={"why": "x" * 2_001}), 422, "invalid-input")
    assert client.delete("/v1/models/a", params={"why": "never right & slow"}).status_code == 204
    entry = json.loads(next(newest_entries(api_settings)))
    assert (entry["ops"][0]["op"], entry["why"]) == ("delete", "never right & slow")


def test_files_are_named_by_the_manifest_and_by_nothing_else(client: httpx.Client, api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    listed = {each["file"]: each for each in client.get("/v1/models/small/files").json()["files"]}
    assert set(listed) == {"model.skops", "golden.json"}
    for path in listed:
        answer = client.get(f"/v1/models/small/files/{path}")
        assert answer.content == registry.file("small", path)
        assert answer.headers["content-disposition"] == f'attachment; filename="{path}"'
        assert manifest.describe(answer.content).sha256 == listed[path]["sha256"]
    assert client.get("/v1/models/small/manifest").json()["classes"] == ["no", "yes"]
    log = "..%2f..%2f..%2flog%2f00000001.json"
    for path in ("manifest.json", "none", log, "%2e%2e/golden.json", "/etc/passwd", "golden.json%00", "golden.json/"):
        is_problem(client.get(f"/v1/models/small/files/{path}"), 404, "not-found")
    is_problem(client.get("/v1/models/..%2f..%2flog/files"), 404, "not-found")


def test_a_model_is_exported_and_imported_as_one_file(client: httpx.Client, api_settings: Settings) -> None:
    out = client.get("/v1/models/small/archive")
    assert out.headers["content-type"] == "application/zip"
    is_problem(client.post("/v1/models", content=out.content, headers=ZIP), 409, "name-taken")
    made = client.post("/v1/models", params={"name": "copy"}, content=out.content, headers=ZIP)
    assert made.status_code == 201, made.text
    assert (made.headers["location"], made.json()["name"]) == ("/v1/models/copy", "copy")
    answers = [
        client.post("/v1/classify", json={"readings": [READING], "model": name}).json()["predictions"]
        for name in ("small", "copy")
    ]
    assert answers[0] == answers[1]
    change = client.get("/v1/audit").json()["changes"][0]
    assert (change["what"], change["target"], change["before"]) == ("model registered", "copy", None)
    is_problem(client.post("/v1/models", content=out.content), 415, "unsupported-media-type")
    is_problem(
        client.post("/v1/models", params={"name": "../x"}, content=out.content, headers=ZIP), 422, "invalid-input"
    )


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        raise AssertionError("it was pickled, which is fine; it must never be unpickled")


def test_an_upload_that_cannot_be_audited_is_refused(client: httpx.Client, api_settings: Settings) -> None:
    good = client.get("/v1/models/small/archive").content
    with zipfile.ZipFile(io.BytesIO(good)) as packed:
        golden = packed.read("golden.json")
        said = json.loads(packed.read("manifest.json"))
        pipeline = packed.read("model.skops")
    foreign = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pipeline)) as source, zipfile.ZipFile(foreign, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content.replace(b'"LogisticRegression"', b'"system"').replace(
                b'"sklearn.linear_model._logistic"', b'"os"') if name == "schema.json" else content)  # fmt: skip
    other = json.loads(golden)
    other["labels"] = ["yes" if label == "no" else "no" for label in other["labels"]]
    cases = {
        "a pickle alone": pickle.dumps({"a": 1}),
        "a pickle beside": repacked(good, model__pkl=pickle.dumps(1)),
        "joblib beside": repacked(good, model__joblib=b"x"),
        "a pickle that the manifest names": described(good, "model.pkl", pickle.dumps(1)),
        "a path that the manifest names": described(good, "report/../../x.json", b"x"),
        "a script that the manifest names": described(good, "report/x.js", b"x"),
        "a path": repacked(good, **{"../../x.json": b"x"}),
        "a path in the report": repacked(good, **{"report/../x.json": b"x"}),
        "no manifest": repacked(good, manifest__json=None),
        "no pipeline": repacked(good, model__skops=None),
        "one file more than the manifest names": repacked(good, agreement__json=b"{}"),
        "another digest": repacked(good, golden__json=golden + b" "),
        "a foreign type": described(good, "model.skops", foreign.getvalue()),
        "no skops": described(good, "model.skops", pickle.dumps(1)),
        "other golden answers": described(good, "golden.json", json.dumps(other).encode()),
        "ONNX that is none": described(good, "model.onnx", b"\xff\xff"),
        "a manifest that is none": repacked(good, manifest__json=b"[]"),
        "features twice": repacked(
            good, manifest__json=json.dumps({**said, "features": [said["features"][0]] * 3}).encode()
        ),
        "tags that are none": repacked(
            good, manifest__json=json.dumps({**said, "metadata": {"tags": [1]}}).encode()
        ),
        "cut short": good[:-30],
        "nothing": b"",
    }  # fmt: skip
    for what, data in cases.items():
        answer = client.post("/v1/models", params={"name": "bad"}, content=data, headers=ZIP)
        kind = "invalid-input" if what == "nothing" else "archive-refused"
        assert answer.status_code == 422, f"{what}: {answer.status_code} {answer.text}"
        is_problem(answer, 422, kind)
    assert "bad" not in Registry.open(api_settings.registry.url).state.models
    assert [change["what"] for change in client.get("/v1/audit").json()["changes"]] == []


def test_an_upload_has_a_limit_of_its_own_packed_and_unpacked(api_settings: Settings) -> None:
    registry = Registry.open(api_settings.registry.url)
    registry.save("small", upload(), by="test")
    found = registry.manifest("small")
    good = bundle.pack(found, {path: registry.file("small", path) for path in found.files})
    limits = api_settings.api.model_copy(update={"max_body_bytes": 100, "max_upload_bytes": len(good) + 10})
    with serving(api_settings.model_copy(update={"api": limits})) as client:
        unpacked = client.post("/v1/models?name=x", content=good, headers=ZIP)
        assert "unpacked" in is_problem(unpacked, 422, "archive-refused")["detail"]
        is_problem(client.post("/v1/models?name=x", content=good + b" " * 100, headers=ZIP), 413, "too-large")
        is_problem(client.post("/v1/classify", json={"readings": [READING] * 10}), 413, "too-large")


def test_a_viewers_upload_is_refused_before_it_is_read(client: httpx.Client, api_settings: Settings) -> None:
    _, viewer = new_key(api_settings.api.keys_file, "viewer")
    answer = client.post("/v1/models", content=b"x" * 2_000_000, headers={**ZIP, "Authorization": f"Bearer {viewer}"})
    is_problem(answer, 403, "forbidden")


@pytest.mark.parametrize("suffix", ["", "?limit=1"])
def test_the_list_has_the_etag_that_a_change_needs(client: httpx.Client, suffix: str) -> None:
    etag = client.get(f"/v1/models{suffix}").headers["etag"]
    assert client.patch("/v1/models/small", json={"notes": "x"}, headers={"If-Match": etag}).status_code == 200


def test_a_card_is_a_page_of_its_own_that_runs_nothing(client: httpx.Client) -> None:
    page = client.get("/v1/models/small/card")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    (policy,) = page.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "<h1" in page.text
    assert "small" in page.text
    text = client.get("/v1/models/small/card", params={"format": "markdown"})
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert text.text.startswith("# small")
    is_problem(client.get("/v1/models/none/card"), 404, "not-found")
    is_problem(client.get("/v1/models/small/card", params={"format": "pdf"}), 422, "invalid-input")
