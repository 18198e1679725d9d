"""`zelador evaluate`, and `classify` on a table, with a local registry, as a user types them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from registry.registry import Feature, Registry, Upload
from tests.command import zelador

FEATURES = ("lux", "temperature", "vibration")
ROWS = 400


def data(seed: int, count: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """One in six rows is a fault, which shows as vibration."""
    draw = np.random.default_rng(seed)
    labels = np.array(["fault" if draw.random() < 1 / 6 else "normal" for _ in range(count)])
    vibration = draw.normal(np.where(labels == "fault", 4.0, 2.0), 0.8).clip(0)
    return np.column_stack([draw.normal(400, 20, count), draw.normal(50, 5, count), vibration]), labels


def write(path: Path, device: bool = False, label: str = "state") -> Path:
    rows, labels = data(2)
    with path.open("w", newline="") as file:
        out = csv.writer(file, delimiter=";")
        out.writerow([*FEATURES, label, *(["device_id", "ts"] if device else [])])
        for number, (row, text) in enumerate(zip(rows.tolist(), labels, strict=True)):
            cells = [f"{value:.4f}".replace(".", ",") for value in row]
            more = [f"m{number % 3}", f"2026-01-{1 + number // 20:02d} 10:{number % 20:02d}:00"] if device else []
            out.writerow([*cells, text, *more])
    return path


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    found = Registry.open(tmp_path / ".zelador" / "registry")
    rows, labels = data(1)
    for name, model in (("old", DecisionTreeClassifier(max_depth=1, random_state=0)), ("new", LogisticRegression())):
        columns = [0, 1] if name == "old" else [0, 1, 2]  # the old model does not know vibration
        fitted = make_pipeline(StandardScaler(), model).fit(rows[:, columns], labels)
        features = tuple(Feature(FEATURES[at]) for at in columns)
        probe = np.ascontiguousarray(rows[:20, columns])
        found.save(name, Upload(fitted, features, ("fault", "normal"), probe=probe), by="test")
    return found


def test_an_old_and_a_new_model_stand_side_by_side(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "may.csv")
    asked = ("evaluate", "--model", "old", "--model", "new", "--csv", "may.csv", "--label", "state")
    found = zelador(*asked, "--json").json
    assert (found["positive"], found["by"], found["data"]["rows"]) == ("fault", "row", ROWS)
    old, new = found["models"]
    assert (old["name"], old["differences"], new["differences"]["F1"]["clear"]) == ("old", None, True)
    counts = new["confusion"]["counts"]
    assert new["metrics"]["Recall"] == pytest.approx(counts[0][0] / sum(counts[0]), abs=1e-6)
    assert new["metrics"]["Precision"] == pytest.approx(counts[0][0] / (counts[0][0] + counts[1][0]), abs=1e-6)
    low, high = new["intervals"]["F1"]
    assert low < new["metrics"]["F1"] < high
    assert set(new["metrics"]) == {"Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC", "PR-AUC"}
    assert any("by row" in note for note in found["data"]["notes"])

    shown = zelador(*asked)
    assert shown.code == 0
    assert "positive class 'fault'" in shown.out
    assert "new minus old" in shown.out
    kept = zelador("models", "show", "new").out
    assert f"Evaluated on may.csv (SHA-256 {found['data']['digest'][:12]}), {ROWS} rows" in kept
    assert "F1 (of" in zelador("models", "card", "new").out
    assert "F1, may.csv" in zelador("models", "compare", "old", "new").out
    assert len(zelador("models", "show", "new", "--json").json["evaluations"]) == 1  # of one file, the newest


def test_intervals_are_by_block_where_device_and_time_are_known(registry: Registry, tmp_path: Path) -> None:
    write(tmp_path / "may.csv", device=True)
    found = zelador("evaluate", "--model", "new", "--csv", "may.csv", "--label", "state", "--json").json
    assert found["by"] == "device and time"
    assert 10 <= found["blocks"] < 40
    other = zelador("evaluate", "--model", "new", "--csv", "may.csv", "--label", "state", "--device", "none", "--time",
                    "none", "--positive", "normal", "--no-keep", "--json").json  # fmt: skip
    assert (other["by"], other["positive"]) == ("row", "normal")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no model is selected; name one with --model"),
        (("--model", "nobody"), "nobody"),
        (("--model", "new", "--label", "nothing"), "no column 'nothing'"),
        (("--model", "new", "--label", "lux"), "is the label and a feature"),
        (("--model", "new", "--positive", "broken"), "--positive broken: there is no such class; choose from fault"),
    ],
)  # fmt: skip
def test_an_evaluation_that_cannot_be_made_is_one_line(
    registry: Registry, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    write(tmp_path / "may.csv")
    refused = zelador(
        "evaluate", "--csv", "may.csv", *(() if "--label" in arguments else ("--label", "state")), *arguments
    )
    assert (refused.code, refused.out) == (2, "")
    assert says in refused.err.splitlines()[-1]


def test_labels_that_the_model_does_not_know_are_named(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("lux,temperature,vibration,state\n1,2,3,ja\n1,2,3,nein\n")
    refused = zelador("evaluate", "--csv", "other.csv", "--label", "state", "--model", "new")
    assert "new predicts fault, normal, and the rows have the labels ja, nein: not one is the same" in refused.err


def test_each_row_of_a_table_has_one_answer(registry: Registry, tmp_path: Path) -> None:
    text = "press,lux,temperature,vibration\nA,410,48,1.0\nB,410,,1.1\nC,410,-127,6.5\nD,410,47,broken\nE,410,47,5\n"
    (tmp_path / "gaps.csv").write_text(text)
    asked = ("classify", "--csv", "gaps.csv", "--model", "new")
    found = zelador(*asked, "--keep", "press", "--json").json["predictions"]
    assert [(each["row"], each["press"], each["label"]) for each in found] == [
        (1, "A", "normal"), (2, "B", None), (3, "C", None), (4, "D", None), (5, "E", "fault"),
    ]  # fmt: skip
    assert found[1]["reason"] == "there is no value for temperature"
    assert "temperature is -127 °C, outside -100 to 1000" in found[2]["reason"]
    assert "'broken' is not a number" in found[3]["reason"]
    assert zelador(*asked, "--keep", "press,vibration", "--out", "out.parquet").code == 0
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column("press").to_pylist() == list("ABCDE")
    assert table.column("label").to_pylist() == ["normal", None, None, None, "fault"]
    assert zelador(*asked, "--keep", "press", "--out", "out.csv").code == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["normal", "", "", "", "fault"]
    assert zelador(*asked, "--out", "out.xls").code == 2
    assert "-127 °C" in zelador("classify", "lux=1", "temperature=-127", "vibration=1", "--model", "new").err
