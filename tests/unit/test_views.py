"""The views show the values that were read; unknown values are absent."""

from __future__ import annotations

from typing import get_type_hints

from operations.views.metrics import MetricView, metric_views
from operations.views.run_view import RunBody, RunView
from operations.views.system import RegistryState, StreamState, SystemView, quarantine_fill, stall
from registry.run_document import RunDocument
from zelador.ledger import Ledger, LedgerSnapshot
from zelador.settings import Settings
from zelador.training_queue import Run

SNAPSHOT = LedgerSnapshot(Ledger(10, 8, 1, 1, 5, 3, 0), 2, 4, 6, 700, 1_000, 2_000, 1_000, 9_000, 55, 12, 1)


def metrics(system: SystemView) -> dict[str, MetricView]:
    return {metric.name: metric for metric in metric_views(system, 30.0)}


def test_metrics_of_what_cannot_be_read_are_absent() -> None:
    assert set(metrics(SystemView(None, "lost", None))) == {"zelador_registry_trouble"}
    found = metrics(SystemView(RegistryState(0, None, None), None, None))
    assert {name: metric.values for name, metric in found.items()} == {
        "zelador_models": {(): 0.0},
        "zelador_registry_trouble": {(): 0.0},
    }


def test_metrics_have_the_values_of_the_ledger() -> None:
    stream = StreamState(SNAPSHOT, True, 0.5, None, {"ingest": 1, "inference": 2}, {"alarm": 1, "ok": 7})
    found = metrics(SystemView(None, None, stream))
    assert found["zelador_ledger_waiting"].values == {(): 3.0}
    assert found["zelador_lag_seconds"].values == {(): 8.0}
    assert found["zelador_pipeline_stalled"].values == {(): 1.0}
    assert found["zelador_quarantine_fill_ratio"].values == {(): 0.5}
    assert found["zelador_alarms_per_minute"].values == found["zelador_devices_chattering"].values == {(): 0.0}
    assert found["zelador_workers"].values == {("inference",): 2.0, ("ingest",): 1.0}
    assert "zelador_broker_dropped_messages" not in found


def test_a_stall_is_named_only_after_its_limit() -> None:
    assert stall(SNAPSHOT, 7.0, 1) is None
    assert stall(SNAPSHOT, 6.9, 1) == "3 readings wait and none was settled for 7 s: check the inference workers"
    assert str(stall(SNAPSHOT, 6.9, 0)).endswith("7 s: no worker runs (zelador infer)")


def test_the_quarantine_is_as_full_as_its_nearest_limit() -> None:
    settings = Settings(redis={"keep_quarantine": 60, "keep_quarantine_s": 16})
    assert quarantine_fill(SNAPSHOT, settings) == 0.5  # by age; by number it is a tenth


def test_a_runs_own_fields_are_stronger_than_its_document() -> None:
    run = Run("1-a", "failed", {}, "ana", "t0", error="out of memory", result={"rows": 7, "id": "other"})
    body = RunView.of(run).body()
    assert (body["id"], body["state"], body["error"], body["rows"]) == ("1-a", "failed", "out of memory", 7)
    assert set(RunView.of(run).body(whole=False)) == set(RunView.__slots__) - {"result"}
    document = RunDocument(run="1-a", by="ana", started_at="t1", state="done", rows=9)
    assert RunView.of(run, document).body()["rows"] == 9
    assert set(RunView.__slots__) - {"result"} <= set(get_type_hints(RunBody))
