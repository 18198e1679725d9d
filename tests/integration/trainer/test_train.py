"""The real batch job: PyCaret in a separate process, and models that do not need it."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import numpy as np
import psutil
import pytest

from command.demo.scenarios.by_name import scenario
from registry.card import card_html, card_of
from registry.registry import Registry
from registry.run_document import new_run_id
from tests.rows import from_readings
from tests.small_models import rows_and_labels, upload
from tests.up import COMMAND, clean_environment
from trainer.dataset import Choice
from trainer.run.job import train
from trainer.run.options import Options
from zelador.errors import Unavailable
from zelador.settings import Settings

pytestmark = pytest.mark.training

FEATURES = ("lux", "temperature", "vibration")


def write(path: Path, rows: Iterable[tuple], header: tuple[str, ...]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "train", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        env={**clean_environment(), **environment},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("train")
    history = scenario("machines").history[:900]
    rows = [
        (sample.device_id, sample.measured_at, *(sample.values[name] for name in FEATURES), sample.label)
        for sample in history
    ]
    write(folder / "readings.csv", rows, ("machine", "time", *FEATURES, "needs"))
    done = run(folder, "--csv", "readings.csv", "--label", "needs", "--features", ",".join(FEATURES), "--metric", "F1",
               "--candidates", "lr,nb,ridge,dt,lda,rf,lightgbm", "--cost-missed", "3", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout.strip().splitlines()[-1])


def test_five_models_with_their_metrics(trained: tuple[Path, dict]) -> None:
    _, document = trained
    assert document["rows"] == 900
    assert [model["rank"] for model in document["models"]] == [1, 2, 3, 4, 5]
    for model in document["models"]:
        assert {"name", "rank", "model_type", "metrics", "holdout", "served_by", "agreement"} <= set(model)
        assert model["served_by"] in ("onnx", "pipeline")
        assert 0.3 < model["metrics"]["F1"] <= 1
        assert 0.3 < model["holdout"]["F1"] <= 1
        assert (model["threshold"], model["calibrated"]) == (0.25, True)
        assert model["metrics"]["AUC"] is not None  # ridge has probabilities too
        assert model["us_per_row"] > 0
        assert {name: set(found) for name, found in model["questions"].items()} == {
            name: set(found) for name, found in model["question_intervals"].items()
        }
        assert model["questions"].keys() == document["split"]["questions"].keys()
        assert model["optimism"] == pytest.approx(model["shuffled"]["F1"] - model["metrics"]["F1"], abs=2e-6)
        if model["served_by"] == "onnx":
            assert model["agreement"]["labels_that_differ"] == 0
            assert model["agreement"]["onnx_us"] < model["agreement"]["pipeline_us"]
    best = [row["metrics"]["F1"] for row in document["leaderboard"] if row["id"] != "dummy"]
    assert best == sorted(best, reverse=True)
    board = {row["id"]: row for row in document["leaderboard"]}
    assert "baseline" in board["dummy"]["trouble"]
    assert len(board) == 8


def test_the_verdict_names_the_winner_and_the_split_how_it_was_tested(trained: tuple[Path, dict]) -> None:
    folder, document = trained
    verdict, split = document["verdict"], document["split"]
    assert verdict["kind"] in ("clear", "tied")
    assert document["models"][0]["model_type"] in verdict["sentence"]
    assert len(verdict["tied"]) != 1
    assert (split["asked"], split["folds_by"] in ("device", "block")) == ("auto", True)
    assert split["kind"] in ("device", "time", "device_and_time")
    assert document["positive"] in ("yes", "no")
    assert any("--" not in note for note in split["notes"])
    assert verdict["moved"]["moves"] == sum(verdict["moved"]["counts"])
    assert verdict["p"] == pytest.approx((1 + verdict["moved"]["as_good"]) / (1 + verdict["moved"]["moves"]), abs=1e-4)
    assert split["learned"]["rows"] == document["train_rows"]
    assert split["learned"]["devices"] > 1
    notes = document["data"]["notes"]
    assert {"the device is the column 'machine'", "the time is the column 'time'"} <= set(notes)
    where = json.loads((folder / ".zelador/registry/runs" / document["run"] / "split.json").read_text())
    assert len(where["tested"]) == 900
    assert sum(place >= 0 for place in where["tested"]) == document["train_rows"]
    assert sum(place < 0 and place != where["marks"]["embargo"] for place in where["tested"]) == split["holdout_rows"]


def test_the_report_has_curves_groups_and_a_learning_curve(trained: tuple[Path, dict]) -> None:
    folder, document = trained
    registry = Registry.open(folder / ".zelador" / "registry")
    for model in document["models"]:
        report = json.loads(registry.file(model["name"], "report/report.json"))
        assert set(report["precision_recall"]) == set(report["roc"]) == {document["positive"]}
        assert sum(each["rows"] for each in report["by_class"]) == report["rows"] > 0
        assert report["by_device"]["devices"] >= len(report["by_device"]["rows"]) > 1
        assert sum(each["rows"] for each in report["by_device"]["rows"]) == report["rows"]
        assert report["threshold"][document["positive"]]["chosen"] == model["threshold"]
        assert report["threshold"][document["positive"]]["costs"] == [3.0, 1.0]
        errors, matrix = report["errors"], model["confusion"]
        at, place = errors["threshold"].index(0.25), matrix["labels"].index(document["positive"])
        counts, (own, other) = errors["held_out"], (matrix["counts"][place], matrix["counts"][1 - place])
        assert (counts["missed"][at], counts["false_alarms"][at]) == (own[1 - place], other[place])
        assert errors["folds"]["rows"] + counts["rows"] <= document["rows"]
        assert sum(each["found"] for each in report["by_device"]["rows"]) == own[place]
    assert "stretches" in report["learning"]["sentence"]
    assert "Learning curve" in card_html(card_of(registry, document["models"][0]["name"]))


def test_worker_and_golden_rows_apply_the_threshold(trained: tuple[Path, dict]) -> None:
    """A reading that is more likely right than wrong is an alarm at 0.25, and not at 0.5."""
    folder, document = trained
    registry = Registry.open(folder / ".zelador" / "registry")
    draw = np.random.default_rng(1).random((4_000, 3)) * [400, 60, 3]
    differ = 0
    for model in document["models"]:
        found = registry.load(model["name"])  # which checks the golden rows
        place = found.classes.index(document["positive"])
        answer = found.classify(draw)
        alarms = np.array(answer.labels) == document["positive"]
        assert alarms.tolist() == (answer.probabilities[:, place] >= 0.25).tolist()
        differ += int((alarms != (answer.probabilities[:, place] >= 0.5)).sum())
        assert registry.manifest(model["name"]).threshold.value == 0.25
    assert differ > 0


def test_it_selects_nothing_and_registers_the_models(trained: tuple[Path, dict]) -> None:
    folder, document = trained
    registry = Registry.open(folder / ".zelador" / "registry")
    assert registry.state.selection is None
    assert set(registry.state.models) == {model["name"] for model in document["models"]}
    assert registry.run(document["run"])["state"] == "done"
    lines = (folder / ".zelador" / "audit.jsonl").read_text().splitlines()  # beside the keys, without a Redis
    acts = [(act["what"], act["target"], act["after"]["run"]) for act in map(json.loads, lines)]
    assert acts == [("model registered", model["name"], document["run"]) for model in document["models"]]
    facts = registry.manifest(document["models"][0]["name"]).metadata
    assert facts["data"]["rows"] == 900
    assert facts["run"] == document["run"]
    assert facts["versions"]["pycaret"]
    for model in document["models"]:
        card = card_of(registry, model["name"])  # the numbers behind its plots were stored too
        assert card.report["confusion"] == model["confusion"]["counts"]
        assert bool(card.report["roc"]) == (model["holdout"]["AUC"] is not None)
        assert {each["feature"] for each in card.report["importance"]["features"]} == set(FEATURES)


def test_the_selected_model_is_in_the_table_and_a_better_one_replaces_it(
    trained: tuple[Path, dict], tmp_path: Path
) -> None:
    """A weak model that learned from random labels is selected. The difference is signed, and on the same rows."""
    folder = shutil.copytree(trained[0], tmp_path / "plant")
    registry = Registry.open(folder / ".zelador" / "registry")
    rows, labels = rows_and_labels()
    labels = np.random.default_rng(3).permutation(labels)
    weak = upload()
    weak.pipeline.fit(rows, labels)
    registry.save("weak", weak, by="test")
    registry.select("weak", by="test")
    done = run(folder, "--csv", "readings.csv", "--label", "needs", "--features", ",".join(FEATURES), "--metric", "F1",
               "--candidates", "nb,dt", "--json", "--save", "1", "--names", "the-new",
               ZELADOR_TRAINING__PROMOTE="better")  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(done.stdout.strip().splitlines()[-1])
    live, best = document["reference"], document["models"][0]
    assert (live["name"], live["model_type"]) == ("weak", "LogisticRegression")
    assert "may have been trained on some of these rows" in live["note"]
    assert set(live["holdout"]) == set(best["holdout"])
    for metric, value in best["difference"].items():
        assert value == pytest.approx(best["holdout"][metric] - live["holdout"][metric], abs=2e-6)
        low, high = best["difference_intervals"][metric]
        assert low <= value <= high
    assert best["difference"]["F1"] > 0.3
    assert [model["name"] for model in document["models"]] == ["the-new", None]
    promotion = document["promotion"]
    assert (promotion["promoted"], promotion["against"]) == (True, "weak"), promotion["sentence"]
    chosen = registry.sync().selection
    assert (chosen.model, chosen.why) == ("the-new", promotion["sentence"])


def test_no_pycaret_is_needed_to_serve_any_of_them(trained: tuple[Path, dict]) -> None:
    folder, document = trained
    code = (
        "import sys\n"
        "sys.modules['pycaret'] = None\n"
        "import numpy as np\n"
        "from registry.registry import Registry\n"
        "r = Registry.open(sys.argv[1])\n"
        "for name in sys.argv[2:]:\n"
        "    answer = r.load(name).classify(np.array([[300.0, 25.0, 0.4], [200.0, 60.0, 3.0]]))\n"
        "    assert set(answer.labels) <= {'yes', 'no'}, answer.labels\n"
        "    assert answer.probabilities is not None, name\n"
        "    assert r.pipeline(name).predict([[300.0, 25.0, 0.4]])[0] in ('yes', 'no')\n"
    )
    names = [model["name"] for model in document["models"]]
    done = subprocess.run([sys.executable, "-c", code, str(folder / ".zelador" / "registry"), *names],
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_random_labels_score_at_chance(tmp_path: Path) -> None:
    """Three classes at random: an honest evaluation comes out at chance."""
    draw = random.Random(3)
    readings = [(tuple(draw.random() for _ in FEATURES), draw.choice("abc"), i, "m1") for i in range(900)]
    settings = Settings(registry={"url": str(tmp_path)}, training={"candidates": "lr,nb,dt"})
    dataset = from_readings(readings, FEATURES, Choice())
    options = Options(new_run_id(), "test", "Accuracy", ("lr", "nb", "dt"))
    document = train(dataset, settings, Registry.open(tmp_path), options, Event())
    assert document["verdict"]["kind"] == "nothing_to_learn"
    assert "nothing to learn" in document["verdict"]["sentence"]
    assert document["verdict"]["moved"]["moves"] >= 60
    assert len(document["models"]) == 3
    for model in document["models"]:
        assert 0.22 < model["holdout"]["Accuracy"] < 0.45
        assert model["not_recommended"] is True


def test_a_stop_in_mid_run_leaves_no_process_and_is_reported(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    readings = [(tuple(draw.random(3)), "ab"[i % 2], i, "m1") for i in range(3_000)]
    settings = Settings(registry={"url": str(tmp_path)})
    registry, stop, options = Registry.open(tmp_path), Event(), Options(new_run_id(), "test", "F1")
    threading.Timer(4.0, stop.set).start()
    with pytest.raises(Unavailable, match="stopped before it had a result"):
        train(from_readings(readings, FEATURES, Choice()), settings, registry, options, stop)
    assert registry.run(options.run)["state"] == "failed"
    assert registry.state.models == {}
    deadline = time.monotonic() + 10
    while any(map(trains, psutil.Process().children(recursive=True))):
        assert time.monotonic() < deadline, "the training process is left"
        time.sleep(0.1)


def trains(child: psutil.Process) -> bool:
    try:
        return any("trainer.run.child" in part for part in child.cmdline())
    except psutil.NoSuchProcess:  # it has just ended, or waits for its parent to read its exit code
        return False


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(1, 2, 3, "")], "no labeled readings"),
        ([(1, 2, 3, "yes")] * 30, "a classifier needs at least two"),
    ],
)
def test_data_that_cannot_be_learned_from_is_one_line_and_exit_code_2(tmp_path: Path, rows: list, says: str) -> None:
    write(tmp_path / "r.csv", rows, (*FEATURES, "needs"))
    done = run(tmp_path, "--csv", "r.csv", "--label", "needs", "--json")
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
