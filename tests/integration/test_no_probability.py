"""A value too large for single precision: the compiled model has no probability for it, and nothing else suffers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from registry.model.classifier import Classifier, OnnxEngine
from registry.model.rows import answers_of
from registry.registry import Feature, Registry, Upload
from tests.integration.test_loops import READING, Stack
from tests.integration.test_loops import stack as stack
from tests.small_models import FEATURES, rows_and_labels
from trainer.candidate.compile import compile_pipeline
from zelador.errors import InvalidInput
from zelador.settings import FieldSettings, Settings

HUGE = 1e20  # its square is more than single precision can hold


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The features have no physical range, as those of a plant have none unless somebody names one."""
    return settings.model_copy(update={"fields": {feature: FieldSettings() for feature in FEATURES}})


@pytest.fixture(scope="module")
def naive_bayes() -> Upload:
    rows, labels = rows_and_labels()
    pipeline = make_pipeline(StandardScaler(), GaussianNB()).fit(rows, labels)
    compiled, why = compile_pipeline(pipeline, len(FEATURES))
    assert compiled is not None, why
    return Upload(pipeline, tuple(map(Feature, FEATURES)), ("no", "yes"), onnx=compiled, probe=rows[:20])


def test_one_reading_without_probabilities_is_set_aside_and_the_others_are_classified(
    stack: Stack, naive_bayes: Upload, tmp_path: Path
) -> None:
    registry = Registry.open(tmp_path)
    registry.save("bayes", naive_bayes, by="test")
    registry.select("bayes", by="test")
    stack.swap.look()
    stack.send("press", *({**READING, "id": f"r-{i}", "vibration": HUGE if i == 3 else 0.4} for i in range(8)))
    stack.ingest(8)
    stack.classify(8)
    got = stack.predictions(7)
    assert {each["reading_id"] for each in got} == {f"r-{i}" for i in range(8)} - {"r-3"}
    assert all(0.0 <= share <= 1.0 for each in got for share in each["probabilities"].values())
    found = stack.ledger.read()
    assert (found.classified, found.set_aside, found.unaccounted) == (7, 1, 0)


def test_a_request_names_the_reading_without_probabilities(naive_bayes: Upload) -> None:
    assert naive_bayes.onnx is not None
    engine = OnnxEngine("bayes", naive_bayes.onnx, naive_bayes.classes, True)
    classifier = Classifier("bayes", "", FEATURES, naive_bayes.classes, "onnx", engine)
    with pytest.raises(InvalidInput, match=r"readings\[1\]: bayes .*ZELADOR_FIELDS"):
        answers_of(classifier, [READING, {**READING, "vibration": HUGE}])
    (answer,) = answers_of(classifier, [READING])
    assert answer["probabilities"] is not None and np.isfinite(list(answer["probabilities"].values())).all()
