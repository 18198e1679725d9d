"""Writes docs/reference/settings.md and metrics.md from the code: `python docs/reference/make.py`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from admin.access.request_metrics import RequestMetrics
from operations.views.metrics import metric_views
from operations.views.system import RegistryState, StreamState, SystemView
from registry.log.state import Selection
from zelador.ledger import ArchiveCounts, Ledger, LedgerSnapshot
from zelador.metrics import ArchiveMetrics, InferenceMetrics, IngestMetrics, TrainerMetrics
from zelador.settings import Section, Settings

PAGE = Path(__file__).with_name("settings.md")
METRICS_PAGE = Path(__file__).with_name("metrics.md")
SYSTEM = SystemView(
    RegistryState(1, Selection("model", 1, "", "", ""), 1),
    None,
    StreamState(
        LedgerSnapshot(Ledger(*[0] * 7, ArchiveCounts(*[0] * 7)), *[0] * 8),
        False,
        0.0,
        0,
        {"ingest": 1},
        {"ok": 1},
        newest_at=1,
    ),
)  # everything known, so that every metric is there
LABELS = {
    "zelador_build": ("version", "python", "service"),
    "zelador_predictions": ("model", "label"),
    "zelador_observer_dropped_batches": ("observer",),
    "zelador_observer_failures": ("observer",),
    "zelador_training_runs": ("outcome",),
    "zelador_api_requests": ("method", "route", "status"),
    "zelador_api_request_seconds": ("route",),
}
METRICS_HEAD = """# Metrics

Made from the code by `python docs/reference/make.py`; a test fails when it is stale.

For Prometheus, in its text format. Counters end in `_total` and start at 0 with their process; use `rate()`. A value
that is not known is absent, not 0. `deploy/prometheus/` has a configuration and alert rules.

| where | address |
|---|---|
| API | `/metrics` of the API, without a key |
| each worker and the trainer | `/metrics` at `ZELADOR_METRICS__HOST` and `ZELADOR_METRICS__PORT` |

In the images that is port 9464, inside the network of Compose only. There Prometheus finds each replica by DNS:
`dns_sd_configs` with `names: [inference]`, `type: A`, `port: 9464`."""
HEAD = """# Settings

Made from `zelador/settings/` by `python docs/reference/make.py`; a test fails when it is stale.

From environment variables, else from the TOML file that `ZELADOR_CONFIG` names or `./zelador.toml`
(`ZELADOR_MQTT__URL` is `url` in its table `[mqtt]`). A wrong or unknown setting
is an error of one line, with exit code 2.
"""


def row(name: str, default: Any, why: str) -> str:
    if default is PydanticUndefined or isinstance(default, Section):
        shown = ""
    elif default is None:
        shown = "none"
    else:
        shown = f"`{','.join(default) if isinstance(default, tuple) else default}`"
    return f"| `{name}` | {shown} | {why} |"


def page() -> str:
    lines = [HEAD, "| variable | default | |", "|---|---|---|"]
    lines.append(
        row(
            "ZELADOR_FEATURES",
            Settings.model_fields["features"].default,
            "The features, separated by commas, in order.",
        )
    )
    lines.append(row("ZELADOR_FIELDS", "{}", "The field map, as JSON: [contracts](../contracts.md#the-field-map)."))
    for name in ("plant", "time_zone"):
        field = Settings.model_fields[name]
        lines.append(row(f"ZELADOR_{name}".upper(), field.default, field.description or ""))
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        if not (inspect.isclass(kind) and issubclass(kind, Section)):
            continue
        for key, inner in kind.model_fields.items():
            lines.append(row(f"ZELADOR_{section}__{key}".upper(), inner.default, inner.description or ""))
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Every metric of every process, from the objects that the processes use."""
    ingest, inference, trainer, archive = IngestMetrics(), InferenceMetrics(), TrainerMetrics(), ArchiveMetrics()
    api = RequestMetrics()
    ingest.broker_dropped(0)  # absent until the broker reports it
    lines = [METRICS_HEAD]
    for title, registry in (
        ("Ingester", ingest.registry),
        ("Inference worker", inference.registry),
        ("Trainer", trainer.registry),
        ("Archiver", archive.registry),
        ("API: its requests", api.registry),
    ):
        lines += [f"\n## {title}\n", "| metric | type | labels | |", "|---|---|---|---|"]
        for family in registry.collect():
            name = f"{family.name}_info" if family.type == "info" else family.name
            lines.append(_metric(name, family.type, LABELS.get(family.name, ()), family.documentation))
    lines += ["\n## API: the whole system\n", "| metric | type | labels | |", "|---|---|---|---|"]
    for metric in metric_views(SYSTEM, Settings().health.stalled_after_s):
        lines.append(_metric(metric.name, "counter" if metric.counts else "gauge", metric.labels, metric.text))
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, labels: Sequence[str], text: str) -> str:
    shown = f"{name}_total" if kind == "counter" else name
    return f"| `{shown}` | {'gauge' if kind == 'info' else kind} | {', '.join(labels)} | {text} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    METRICS_PAGE.write_text(metrics_page(), encoding="utf-8")
    sys.exit(0)
