"""The answers in the OpenAPI document: complete, and true for a real answer of every operation."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator

from admin.api import audit, files
from operations import audit_file
from operations.views import stream
from registry.functions import save_model
from registry.model import manifest
from registry.model.artifact import pack
from registry.registry import Registry
from tests.device_alarm import put_in_alarm
from tests.integration.api.test_api import READING, serving
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_runs_api import put
from tests.integration.test_quarantine import HOT, Site
from tests.small_models import fitted, select_one, upload
from zelador import messages
from zelador.buffer.keys import Keys
from zelador.heartbeat import Heartbeat
from zelador.messages import encode_json, iso
from zelador.settings import Settings

MOMENT = 1_795_514_400_000
RUN = {
    "run": "20261124_115838-aaaa",
    "by": "ana",
    "metric": "F1",
    "notes": "November",
    "state": "done",
    "started_at": iso(MOMENT),
    "ended_at": iso(MOMENT),
    "rows": 600,
    "features": ["lux", "temperature", "vibration"],
    "seconds": {"compare": 1.0, "rebuild": 0.5, "total": 2},
    "leaderboard": [
        {"place": 1, "id": "lr", "model_type": "L", "metrics": {"AUC": None}, "seconds": 0.1, "trouble": None},
        {"place": None, "id": "gbc", "model_type": "G", "metrics": {}, "seconds": None, "trouble": "it failed"},
    ],
    "models": [
        {"name": None, "rank": 1, "model_type": "L", "metrics": {"F1": 0.9}, "holdout": {"AUC": None}}
        | {"served_by": "onnx", "agreement": {"serves": "onnx"}, "confusion": {"labels": [], "counts": []}}
    ],
}
ERRORS = {
    "positive": "yes",
    "threshold": [0.25, 0.5, 0.75],
    "folds": {"rows": 600, "positives": 100, "missed": [5, 20, 50], "false_alarms": [60, 20, 4]},
}
PREDICTION = messages.Prediction(
    "0f9d", "r-1", "press", iso(MOMENT), "yes", None, None, "small", "5f0e", 2, iso(MOMENT)
)

ORDERS = b"from,to\n2026-11-24T09:00Z,2026-11-24T10:00Z\n"
OCTETS = {"Content-Type": "application/octet-stream"}
OF_A_RUNNING_RUN = {"finish_run"}
LATER = (datetime.now(timezone.utc) + timedelta(hours=8)).isoformat()


@pytest.fixture
def client(api_settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a site with data of every kind."""
    registry = select_one(api_settings.registry.url)
    registry.save("other", given := upload(), by="test")
    registry.put_run(RUN["run"], RUN)
    report = {"report/report.json": json.dumps({"errors": ERRORS}).encode()}
    put(registry, tmp_path, {**pack(given, "L"), **report}, given, RUN["run"], 1)
    site = Site(api_settings)
    site.refuse(HOT, b"junk", b"[]", b'{"lux": 1, "temperature": 2, "vibration": 0.1, "seq": 7}')
    put_in_alarm(api_settings, "press")
    put_in_alarm(api_settings, "mill")
    prefix = api_settings.redis.prefix
    site.client.xadd(Keys(prefix).predictions, {"d": encode_json(PREDICTION)})
    for name, facts in (("one", {"model": "small", "selection": 3}), ("two", {})):
        Heartbeat(site.client, prefix, "inference", name).beat(**facts)
    with serving(api_settings) as found:
        yield found


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def answers(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(operation, status, answer) of all successful answers."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status < "300":
                    yield operation["operationId"], status, answer


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document's schemas, closed to keys that they do not name, unless they allow more keys."""
    schemas = copy.deepcopy(document["components"]["schemas"])
    for schema in schemas.values():
        schema.setdefault("additionalProperties", False)
    return {"schemas": schemas}


def wrong(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    checker = Draft202012Validator({**schema, "components": closed(document)})
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def named(document: dict[str, Any], part: Any) -> set[str]:
    """The names of all schemas that `part` needs."""
    found = {name for text in _refs(part) for name in [text.rpartition("/")[2]]}
    return found.union(*(named(document, document["components"]["schemas"][name]) for name in found))


def _refs(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key == "$ref" else _refs(value)
    elif isinstance(part, list):
        for each in part:
            yield from _refs(each)


def test_every_answer_is_described_and_has_a_named_schema_and_an_example_of_it(document: dict[str, Any]) -> None:
    shapes: set[str] = set()
    for operation, status, answer in answers(document):
        assert answer["description"] not in ("", "Successful Response"), operation
        assert ("content" not in answer) == (status == "204"), operation
        for kind, content in answer.get("content", {}).items():
            if kind == "application/json":
                assert list(content["schema"]) == ["$ref"], f"{operation}: no named schema"
                shapes |= named(document, content["schema"])
                assert wrong(document, content["schema"], content["example"]) == [], f"{operation}: the example"
            else:
                assert content["schema"]["type"] == "string", operation
    assert len(shapes) > 30
    for name in sorted(shapes):
        schema = document["components"]["schemas"][name]
        assert schema["type"] == "object", name
        assert schema["description"], name
        assert schema["properties"], name
        for key, value in schema["properties"].items():
            assert value.get("description"), f"{name}.{key}: no description"
            typed = {"type", "$ref", "anyOf"} & set(value)
            assert bool(typed) != value["description"].startswith("Any JSON: "), f"{name}.{key}: no type"
            assert value.get("type") != "object" or "additionalProperties" in value, f"{name}.{key}: a bare object"
        if "next" in schema["properties"]:
            assert "next" in schema["required"], name
            assert "for the next page; null on the last page." in schema["properties"]["next"]["description"], name


def test_operations_have_plain_names_and_tags_that_are_described(document: dict[str, Any]) -> None:
    operations = [each for found in document["paths"].values() for each in found.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+(_[a-z]+)*", name) or "_v1_" in name] == []
    tags = [tag["name"] for tag in document["tags"] if tag["description"]]
    assert sorted(tags) == sorted({tag for each in operations for tag in each["tags"]})


def test_one_real_answer_of_every_operation_is_as_the_document_says(
    client: httpx.Client, document: dict[str, Any]
) -> None:
    entries = [entry["id"] for entry in client.get("/v1/quarantine").json()["entries"]]
    archive, etag = client.get("/v1/models/small/archive").content, client.get("/v1/models").headers["etag"]
    zipped = {"content": archive, "headers": {"Content-Type": "application/zip"}}
    matched = {"headers": {"If-Match": etag}}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("list_models", "/v1/models", {}),
        ("show_model", "/v1/models/small", {}),
        ("list_files", "/v1/models/small/files", {}),
        ("show_manifest", "/v1/models/small/manifest", {}),
        ("download_archive", "/v1/models/small/archive", {}),
        ("download_file", "/v1/models/small/files/model.skops", {}),
        ("show_card", "/v1/models/small/card", {}),
        ("amend_model", "/v1/models/small", {"json": {"tags": ["a"], "metadata": {"x": 1}}, **matched}),
        ("register_model", "/v1/models?name=copy", zipped),
        ("get_selection", "/v1/selection", {}),
        ("select_model", "/v1/selection", {"json": {"model": "copy", "why": "better"}}),
        ("roll_back", "/v1/selection/rollback", {}),
        ("list_selections", "/v1/selection/history", {}),
        ("list_selections", "/v1/selection/history?limit=1", {}),
        ("show_rollout", "/v1/selection/rollout", {}),
        ("show_operation", "/v1/operations/3", {}),
        ("classify", "/v1/classify", {"json": {"readings": [READING]}}),
        (
            "evaluate",
            "/v1/evaluations",
            {"json": {"models": ["small"], "readings": [READING] * 2, "labels": ["yes", "no"]}},
        ),
        ("start_run", "/v1/runs", {"json": {"metric": "F1", "candidates": ["lr"]}}),
        ("list_runs", "/v1/runs", {}),
        ("list_runs", "/v1/runs?limit=1", {}),
        ("show_run", f"/v1/runs/{RUN['run']}", {}),
        ("compare_run", f"/v1/runs/{RUN['run']}/comparison", {}),
        ("show_threshold", f"/v1/runs/{RUN['run']}/threshold?cost_missed=10", {}),
        ("follow_run", f"/v1/runs/{RUN['run']}/events", {}),
        ("register_candidates", f"/v1/runs/{RUN['run']}/register", {"json": {"names": ["first"]}}),
        ("cancel_run", "/v1/runs/RUN/cancel", {}),
        ("list_readings", "/v1/readings", {}),
        ("list_predictions", "/v1/predictions", {}),
        ("list_devices", "/v1/devices", {}),
        ("show_device", "/v1/devices/press", {}),
        ("acknowledge_alarm", "/v1/devices/press/acknowledge", {}),
        ("unacknowledge_alarm", "/v1/devices/press/unacknowledge", {}),
        ("acknowledge_alarms", "/v1/devices/acknowledge", {}),
        ("unacknowledge_alarms", "/v1/devices/unacknowledge", {"json": {"devices": ["press", "none"]}}),
        ("shelve_device", "/v1/devices/press/shelve", {"json": {"until": LATER, "why": "bearing on order"}}),
        ("unshelve_device", "/v1/devices/press/unshelve", {}),
        ("retire_device", "/v1/devices/press/retire", {}),
        ("restore_device", "/v1/devices/press/restore", {}),
        ("list_events", "/v1/devices/press/events", {}),
        ("show_history", "/v1/devices/press/history?from=2026-11-24T09:00:00Z&to=2027-11-24T09:00:00Z", {}),
        ("list_devices", "/v1/devices?state=acknowledged&state=alarm&q=PRE", {}),
        (
            "add_label",
            "/v1/labels",
            {"json": {"device": "press", "from": "2026-11-24T09:00:00Z", "label": "yes", "id": "own", "note": "x"}},
        ),
        ("import_labels", "/v1/labels/import?device=press&label=yes", {"content": ORDERS, "headers": OCTETS}),
        ("list_labels", "/v1/labels", {}),
        ("show_label", "/v1/labels/own", {}),
        ("undo_label", "/v1/labels/own/undo", {}),
        ("load_dataset", "/v1/datasets", {"json": {"source": "buffer"}}),
        ("list_datasets", "/v1/datasets", {}),
        ("show_dataset", "/v1/datasets/DATASET", {}),
        ("draw_histogram", "/v1/datasets/DATASET/histograms/lux", {}),
        ("drop_dataset", "/v1/datasets/DATASET", {}),
        ("get_ledger", "/v1/ledger", {}),
        ("list_quarantine", "/v1/quarantine?limit=1", {}),
        ("show_entry", f"/v1/quarantine/{entries[0]}", {}),
        ("download_payload", f"/v1/quarantine/{entries[0]}/payload", {}),
        ("replay_entry", f"/v1/quarantine/{entries[0]}/replay", {}),
        ("replay_entries", "/v1/quarantine/replay", {"json": {"all": True}}),
        ("discard_entry", f"/v1/quarantine/{entries[0]}", {}),
        ("discard_entries", "/v1/quarantine/discard", {"json": {"ids": entries}}),
        ("make_key", "/v1/keys", {"json": {"role": "viewer", "note": "x", "lasts_s": 60}}),
        ("list_keys", "/v1/keys", {}),
        ("revoke_key", "/v1/keys/KEY", {}),
        ("list_changes", "/v1/audit", {}),
        ("delete_model", "/v1/models/other", {}),
        ("healthz", "/healthz", {}),
        ("readyz", "/readyz", {}),
        ("metrics", "/metrics", {}),
    ]
    ids = {"RUN": "", "KEY": "", "DATASET": ""}
    by_name = {
        each["operationId"]: (method, each["responses"])
        for operations in document["paths"].values()
        for method, each in operations.items()
    }
    for name, path, sent in asked:
        for placeholder, real in ids.items():
            path = path.replace(placeholder, real)
        method, responses = by_name[name]
        answer = client.request(method, path, **sent)
        assert answer.status_code < 300, f"{name}: {answer.status_code} {answer.text}"
        said = responses[str(answer.status_code)]
        missing = [header for header in said.get("headers", {}) if header not in answer.headers]
        assert missing == [], name
        undeclared = {"etag", "location", "content-location"} & set(answer.headers) - {
            header.lower() for header in said.get("headers", {})
        }
        assert undeclared == set(), name
        if answer.headers.get("content-type") == "application/json":
            schema = said["content"]["application/json"]["schema"]
            assert wrong(document, schema, answer.json()) == [], name
        if name == "start_run":
            ids["RUN"] = answer.json()["id"]
        if name == "load_dataset":
            ids["DATASET"] = answer.json()["dataset"]["id"]
        if name == "make_key":
            ids["KEY"] = answer.json()["id"]
    assert {name for name, _, _ in asked} | OF_A_RUNNING_RUN == set(by_name)


@pytest.mark.parametrize(
    ("struct", "shape"),
    [
        (manifest.Manifest, files.Manifest),
        (manifest.Feature, files.Feature),
        (manifest.File, files.File),
        (audit_file.Change, audit.Change),
        (messages.Prediction, stream.Prediction),
    ],
)
def test_no_field_of_a_record_is_left_out_of_its_answer(struct: type[msgspec.Struct], shape: type) -> None:
    assert set(struct.__struct_fields__) == set(shape.__annotations__)


def test_no_metadata_is_too_odd_to_be_shown(
    client: httpx.Client, document: dict[str, Any], api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZELADOR_REGISTRY__URL", api_settings.registry.url)
    odd = {key: [{"odd": None}] for key in document["components"]["schemas"]["Model"]["properties"] if key != "tags"}
    odd |= {"features": ["lux", "temperature", "vibration"], "tags": [7], "further": {"": 1}}
    with monkeypatch.context() as earlier:  # a version that checked no shapes wrote it
        earlier.setattr("registry.registry.check_manifest", lambda _manifest: None)
        earlier.setattr("registry.changes.check_annotation", lambda _metadata: None)
        save_model(fitted(), "odd", odd)
        Registry.open(api_settings.registry.url).annotate("odd", {"features": 5, "classes": None}, by="test")
    for path in ("/v1/models", "/v1/models/odd", "/v1/models/odd/manifest", "/v1/models/odd/card"):
        answer = client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
    shown = client.get("/v1/models/odd").json()
    assert wrong(document, {"$ref": "#/components/schemas/Model"}, shown) == []
    assert (shown["name"], shown["tags"], shown["rank"]) == ("odd", ["7"], None)
    assert {"model_type", "rank", "features"} <= set(shown["damaged"])
    assert shown in client.get("/v1/models").json()["models"]
