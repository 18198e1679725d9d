"""`zelador models card` for a model made by the trainer, and for one saved by a script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from registry import save_model
from registry.card import card_of
from registry.registry import Feature, Registry
from tests.command import zelador
from tests.small_models import FEATURES, rows_and_labels
from trainer.candidate.build import build
from trainer.candidate.rebuild import rebuild
from trainer.candidate.upload import upload
from trainer.evaluate.split_rows import Parts


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    return Registry.open(tmp_path / ".zelador" / "registry")


def test_a_trained_model_has_its_plots(registry: Registry, tmp_path: Path) -> None:
    rows, labels = rows_and_labels()
    split = Parts(rows[:400].astype(np.float32), tuple(labels[:400]), rows[400:], tuple(labels[400:]), ("no", "yes"))
    pipeline = rebuild(RandomForestClassifier(10, random_state=7), split)
    features = [Feature(name, "", 0.0, 1.0) for name in FEATURES]
    built = build(pipeline, None, None, split, 7)
    answers = built.answers(np.array([split.classes.index(label) for label in labels[400:]]), split.classes, "yes")
    registry.save("rf", upload(built, split, answers, features, {"model_type": "RandomForest"}, 7), by="test")
    report = card_of(registry, "rf").report
    assert report["confusion"] == registry.state.models["rf"].metadata["confusion"]["counts"]
    assert report["roc"]["yes"]["area"] == pytest.approx(registry.state.models["rf"].metadata["holdout"]["AUC"])
    done = zelador("models", "card", "rf", "--html", "rf.html")
    assert (done.code, done.out) == (0, "rf.html\n")
    page = (tmp_path / "rf.html").read_text()
    for plot in ("Confusion", "ROC", "Precision and recall", "Calibration", "Threshold", "Importance"):
        assert f"<h3>{plot}</h3>" in page
    assert page.count('class="plot"') == 5
    assert "## Limits" in zelador("models", "card", "rf").out


def test_a_model_without_a_report_has_a_card_too(registry: Registry) -> None:
    rows, labels = rows_and_labels()
    save_model(
        LogisticRegression(max_iter=1000).fit(rows, labels), "mine", {"accuracy": 0.92, "features": list(FEATURES)}
    )
    shown = zelador("models", "card", "mine").out
    assert "it has no metrics" in shown
    assert "vibration=1.0" in shown
    assert zelador("models", "card", "nobody").code == 2
