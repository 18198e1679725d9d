"""The candidates of a run that ended weeks ago are saved over the API and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import httpx
import pytest

from registry.model import manifest
from registry.model.artifact import manifest_of, pack
from registry.registry import Registry, Upload
from registry.run_document import RunDocument
from registry.run_trainer import this_process
from tests.command import zelador
from tests.integration.api.test_api import api_settings, is_problem, serving
from tests.small_models import upload
from trainer.evaluate.threshold import Aim
from trainer.run.options import More, aim_of, more_of
from trainer.run.run_end import end_killed
from zelador.clock import now_iso
from zelador.settings import Settings, load_settings

__all__ = ["api_settings"]
RUN = "20261001_115838-aaaa"


@pytest.fixture
def registry(api_settings: Settings, tmp_path: Path) -> Registry:
    """A registry with one run of three candidates, none of them registered."""
    found = Registry.open(api_settings.registry.url)
    scores = {"metrics": {"F1": 0.9}, "holdout": {"F1": 0.9}, "served_by": "onnx", "agreement": {}}
    matrix = {"labels": ["no", "yes"], "counts": [[1, 0], [0, 1]]}
    of_each = {"model_type": "LogisticRegression", "name": None, "confusion": matrix, **scores}
    models = [{"rank": rank, **of_each} for rank in (1, 2, 3)]
    ended = {"run": RUN, "by": "test", "started_at": now_iso(), "ended_at": now_iso(), "state": "done"}
    found.put_run(RUN, cast(RunDocument, {**ended, "models": models}))
    packed = pack(given := upload(), "LogisticRegression")
    for rank in (1, 2, 3):
        put(found, tmp_path / str(rank), packed, given, RUN, rank)
    return found


def put(registry: Registry, folder: Path, packed: dict[str, bytes], given: Upload, run: str, rank: int) -> None:
    """Stores the model as a candidate of the run, without registering it."""
    given.metadata.update(run=run, rank=rank)
    described = manifest.encode(manifest_of(given, "LogisticRegression", packed, now_iso()))
    for path, data in {**packed, manifest.FILE: described}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    registry.put_candidate(run, rank, folder)


def saved_as(client: httpx.Client) -> list[list[str]]:
    return [model["saved_as"] for model in client.get(f"/v1/runs/{RUN}").json()["models"]]


def test_some_candidates_are_saved_weeks_after_their_run(
    registry: Registry, api_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A request that is refused registers no model at all."""
    registry.save("taken", upload(), by="test")
    with serving(api_settings) as client:
        path = f"/v1/runs/{RUN}/register"
        for wanted, status, kind, says in (
            ({"ranks": [1, 4]}, 404, "not-found", "no candidate 4; it has 1, 2, 3"),
            ({"ranks": [1, 1]}, 422, "invalid-input", "the candidate 1 is named twice"),
            ({"ranks": [1, 2], "names": ["a", "a"]}, 422, "invalid-input", "'a' is named twice"),
            ({"ranks": [1, 2], "names": ["a", "Taken"]}, 409, "name-taken", "'taken' already"),
            ({"ranks": [2], "names": ["a", "b"]}, 422, "invalid-input", "2 names for 1 candidates"),
            ({"ranks": [1, 2, 3], "notes": ["x", "y"]}, 422, "invalid-input", "2 notes for 3 candidates"),
            ({"ranks": [1], "names": ["../a"]}, 422, "invalid-input", "is not a name"),
            ({"ranks": []}, 422, "invalid-input", "ranks"),
            ({"ranks": [0]}, 422, "invalid-input", "ranks"),
        ):
            answer = client.post(path, json=wanted)
            assert says in is_problem(answer, status, kind)["detail"], wanted
        assert set(registry.sync().models) == {"taken"}
        is_problem(client.post("/v1/runs/20261001_115838-bbbb/register", json={}), 404, "not-found")

        answer = client.post(path, json={"ranks": [3, 1], "names": ["third"], "notes": "for line 2"})
        assert answer.status_code == 201, answer.text
        default = f"LogisticRegression_{RUN.split('-')[0]}"
        found = [(model["name"], model["rank"], model["notes"]) for model in answer.json()["models"]]
        assert found == [("third", 3, "for line 2"), (default, 1, "for line 2")]
        assert saved_as(client) == [[default], [], ["third"]]
        for text, count in ((RUN[:8], 1), ("THIRD", 1), ("logistic", 1), ("none of it", 0)):
            assert len(client.get("/v1/runs", params={"q": text}).json()["runs"]) == count, text
        assert registry.sync().selection is None
        assert [each["what"] for each in client.get("/v1/audit").json()["changes"]].count("model registered") == 2

        monkeypatch.setenv("ZELADOR_REMOTE__URL", str(client.base_url))
        monkeypatch.setenv("ZELADOR_REMOTE__KEY", client.headers["Authorization"].split()[1])
        monkeypatch.chdir(tmp_path)
        done = zelador(
            "models", "save", RUN, "--ranks", "2,3", "--name", "second,again", "--notes", "a", "--notes", "b"
        )
        assert done.code == 0, done.err
        assert saved_as(client) == [[default], ["second"], ["third", "again"]]
        assert registry.sync().models["again"].metadata["notes"] == "b"
        refused = zelador("models", "save", RUN, "--ranks", "one")
        assert (refused.code, "--ranks one" in refused.err) == (2, True)


def test_the_same_on_this_machine_and_after_the_run_is_gone(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZELADOR_REGISTRY__URL", str(registry._store.path))
    monkeypatch.chdir(tmp_path)
    done = zelador("models", "save", RUN, "--name", "a", "--name", "b", "--name", "c")
    assert done.code == 0, done.err
    assert set(registry.sync().models) == {"a", "b", "c"}
    assert registry.collect(by="test").runs == ()
    registry._settings = registry._settings.model_copy(update={"keep_runs_s": 1e-9})
    assert registry.collect(by="test").runs == (RUN,)
    refused = zelador("models", "save", RUN, "--ranks", "1")
    assert refused.code != 0
    assert f"there is no run '{RUN}'" in refused.err
    assert registry.manifest("b").name == "b"  # with files of its own


def test_runs_are_compared_from_a_reference_and_as_csv(registry: Registry, api_settings: Settings) -> None:
    """A hundred runs stand side by side, each by its best model; a run that does not exist is named."""
    document = registry.run(RUN)
    others = [f"20261002_115838-{number:04x}" for number in range(99)]
    for place, other in enumerate(others):
        best = {**document["models"][0], "metrics": {"F1": round(0.4 + place / 1_000, 4)}, "name": None}
        registry.put_run(other, cast(RunDocument, {**document, "run": other, "models": [best]}))
    with serving(api_settings) as client:
        path = f"/v1/runs/{RUN}/comparison"
        own = client.get(path).json()
        assert (own["models"], own["reference"]) == ([f"{RUN}/{rank}" for rank in (1, 2, 3)], f"{RUN}/1")
        assert [row["field"] for row in own["differs"]] == ["rank"]
        found = client.get(path, params={"with": others, "reference": f"{others[0]}/1"}).json()
        assert len(found["models"]) == 100
        (by_f1,) = [row for row in found["scores"] if row["part"] == "metrics"]
        assert (by_f1["deltas"][0], by_f1["deltas"][1], by_f1["deltas"][-1]) == (0.5, 0.0, 0.098)
        as_csv = client.get(path, params={"with": others, "format": "csv"})
        assert as_csv.headers["content-type"].startswith("text/csv")
        assert len(as_csv.text.splitlines()) == 101
        is_problem(client.get(path, params={"with": "20261002_115838-ffff"}), 404, "not-found")
        is_problem(client.get(path, params={"reference": "nobody"}), 404, "not-found")
        registry.put_run("20261003_1", cast(RunDocument, {**document, "run": "20261003_1", "models": []}))
        is_problem(client.get("/v1/runs/20261003_1/comparison"), 409, "conflict")


def test_a_run_whose_process_was_killed_is_not_shown_as_running(registry: Registry, api_settings: Settings) -> None:
    """Nobody recorded its end: each reader reports it, and the next run records it."""
    killed: RunDocument = {
        "run": "20261004_1", "by": "test", "started_at": now_iso(), "state": "running",
        "trainer": {**this_process(60), "began": "before this machine was started/1"},
    }  # fmt: skip
    registry.put_run("20261004_1", killed)
    registry.put_run("20261004_2", {**killed, "run": "20261004_2", "trainer": this_process(60)})
    with serving(api_settings) as client:
        found = client.get("/v1/runs/20261004_1").json()
        assert found["state"] == "failed"
        assert "was killed in the middle of this run; start the run again" in found["error"]
        assert "trainer" not in found
        listed = {run["id"]: run["state"] for run in client.get("/v1/runs").json()["runs"]}
        assert (listed["20261004_1"], listed["20261004_2"]) == ("failed", "running")
        assert '"state":"failed"' in client.get("/v1/runs/20261004_1/events").text.replace(" ", "")
    assert registry.run("20261004_1")["state"] == "running"  # looking writes nothing
    end_killed(registry)
    assert [registry.run(f"20261004_{number}")["state"] for number in (1, 2)] == ["failed", "running"]
    assert "killed" in registry.run("20261004_1")["error"]


ASKED = [
    {"recall": 0.95},
    {"cost_missed": 50.0, "cost_false_alarm": 2.5, "positive": "yes"},
    {"split": "device"},
    {"split": "time", "tune_s": 20.0, "budget_s": 90.0},
    {"include": ["lr", "xgboost"], "exclude": ["knn"], "blend": True, "stack": True, "balance": True},
    {"devices": ["m1", "m2"], "classes": ["yes", "no"]},
]


def test_the_options_of_a_run_reach_the_trainer(api_settings: Settings) -> None:
    """Each option arrives as it was given. An invalid one is refused by its name, before anything is queued."""
    with serving(api_settings) as client:
        for asked in ASKED:
            run = client.post("/v1/runs", json=asked)
            assert run.status_code == 202, run.text
            given = client.get(run.headers["location"]).json()["request"]
            wanted = {"candidates" if name == "include" else name: value for name, value in asked.items()}
            assert {name: given.get(name) for name in wanted} == wanted
            assert client.post(f"{run.headers['location']}/cancel").status_code == 202
        queued = len(client.get("/v1/runs").json()["runs"])
        for name, value in (
            ("recall", 1.5), ("recall", 0), ("cost_missed", -1), ("cost_false_alarm", "much"), ("split", "weekly"),
            ("tune_s", 0), ("budget_s", 1e9), ("positive", 3), ("blend", "perhaps"), ("devices", "m1"), ("gpus", True),
        ):  # fmt: skip
            assert name in is_problem(client.post("/v1/runs", json={name: value}), 422, "invalid-input")["detail"]
        both = client.post("/v1/runs", json={"include": ["lr"], "candidates": ["nb"]})
        assert "name the classifiers in one of them" in is_problem(both, 422, "invalid-input")["detail"]
        assert len(client.get("/v1/runs").json()["runs"]) == queued


def test_the_request_of_a_run_overrides_the_settings() -> None:
    settings = load_settings(training={"recall": 0.5, "cost_missed": 9, "blend": True, "tune_s": 7}).training
    assert aim_of(settings, {}) == Aim(9, 1, 0.5)
    assert aim_of(settings, {"recall": 0.95}) == Aim(1, 1, 0.95)
    assert aim_of(settings, {"cost_missed": 50, "cost_false_alarm": 2.5}) == Aim(50, 2.5)  # costs, and no recall
    assert more_of(settings, {"blend": False, "exclude": ["knn"], "budget_s": 90}) == More(("knn",), 7, 90)
