"""The metrics of a model are listed once: every choice, table and page derives from the same list."""

from __future__ import annotations

import re
from pathlib import Path

from zelador.model_metrics import METRICS, in_order
from zelador.settings.training import TrainingSettings

ROOT = Path(__file__).parents[2]


def test_the_metrics_have_one_list() -> None:
    """Copies had come to differ: PR-AUC could not be chosen in the console, and came last on a model's card."""
    several = re.compile(r'"(Accuracy|F1)",\s+"(AUC|MCC|Recall|PR-AUC)",')
    folders = ("admin", "archive", "benchmarks", "command", "inference", "operations", "registry", "trainer", "zelador")
    copies = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if several.search(path.read_text())]
    assert [path.relative_to(ROOT).as_posix() for path in copies] == ["zelador/model_metrics.py"]


def test_known_metrics_come_first_then_others_by_name() -> None:
    assert in_order(["zeta", "PR-AUC", "alpha", "Accuracy", "PR-AUC"]) == ["Accuracy", "PR-AUC", "alpha", "zeta"]
    assert TrainingSettings.model_fields["metric"].default in METRICS
