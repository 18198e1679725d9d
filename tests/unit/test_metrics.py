"""The metrics keep Prometheus' conventions, and the number of their series is bounded."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from admin.access.request_metrics import RequestMetrics
from zelador.messages import Prediction
from zelador.metrics import MAX_PREDICTED, InferenceMetrics, IngestMetrics, TrainerMetrics

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
RULES = Path(__file__).parents[2] / "deploy" / "prometheus"


def prediction(model: str, label: str) -> Prediction:
    return Prediction("p", "r", "d", "", label, None, None, model, "", 1, "")


def pages() -> list[CollectorRegistry]:
    ingest, inference, trainer, api = IngestMetrics(), InferenceMetrics(), TrainerMetrics(), RequestMetrics()
    ingest.broker_dropped(3)
    inference.predicted([prediction("m", "fine"), prediction("m", "fine"), prediction("m", "worn")])
    trainer.ended("failed", 1.0)
    trainer.ended("done", 20.0)
    api.answered("GET", "/v1/models/{name}", 200, 0.01)
    api.answered("BREW", None, 404, 0.01)
    return [ingest.registry, inference.registry, trainer.registry, api.registry]


def test_growing_values_are_counters_without_a_creation_time() -> None:
    text = b"".join(generate_latest(registry) for registry in pages()).decode()
    assert "_created" not in text
    assert "zelador_broker_dropped_messages_total 3.0" in text
    assert "# TYPE zelador_mqtt_reconnects_total counter" in text
    assert 'zelador_predictions_total{label="fine",model="m"} 2.0' in text
    assert 'zelador_training_runs_total{outcome="failed"} 1.0' in text
    assert 'zelador_api_requests_total{method="GET",route="/v1/models/{name}",status="200"} 1.0' in text
    assert 'zelador_api_requests_total{method="other",route="(no route)",status="404"} 1.0' in text
    assert text.count("zelador_build_info{") == 4


def test_unknown_values_are_absent() -> None:
    assert b"zelador_broker_dropped_messages_total" not in generate_latest(IngestMetrics().registry)


def test_a_model_with_countless_labels_makes_a_bounded_number_of_series() -> None:
    """The further ones are counted together, and none is lost."""
    metrics, count = InferenceMetrics(), 3 * MAX_PREDICTED
    metrics.predicted([prediction("m", f"label {number}") for number in range(count)])
    metrics.predicted([prediction("m", "label 1")])
    (family,) = [each for each in metrics.registry.collect() if each.name == "zelador_predictions"]
    assert len(family.samples) == MAX_PREDICTED + 1
    assert sum(sample.value for sample in family.samples) == count + 1
    value = metrics.registry.get_sample_value
    assert value("zelador_predictions_total", {"model": "m", "label": "label 1"}) == 2.0
    assert value("zelador_predictions_total", {"model": "(other)", "label": "(other)"}) == count - MAX_PREDICTED


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_accepts_pages_and_rules() -> None:
    for registry in pages():
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
        )
        assert (done.returncode, done.stderr.decode()) == (0, "")
    for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        done = subprocess.run(["promtool", "check", kind, str(RULES / name)], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_page_of_the_metrics_is_fresh_and_the_rules_use_known_ones() -> None:
    made = runpy.run_path(str(REFERENCE / "make.py"))["metrics_page"]()
    assert (REFERENCE / "metrics.md").read_text(encoding="utf-8") == made, "run docs/reference/make.py"
    words = (RULES / "alerts.yml").read_text().replace("(", " ").replace("{", " ").replace("[", " ").split()
    used = {word for word in words if word.startswith("zelador_")}
    assert used
    assert [name for name in used if f"`{name}`" not in made] == []
