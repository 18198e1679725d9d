"""Modules that a service must not load: the ingester stays small, and only the trainer imports PyCaret."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"pandas", "sklearn", "fastapi", "pycaret", "onnxruntime", "numpy"}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("ingest.service", HEAVY),  # with ingest.loop and zelador.decode
        ("command.main", HEAVY),
        ("registry.card", HEAVY),
        ("command.models.remote", HEAVY),
        ("inference.lineup", {"redis", "paho", "registry", "pandas", "sklearn"}),
        ("inference.service", {"pandas", "fastapi", "pycaret", "sklearn"}),
        ("admin.service", {"pandas", "pycaret", "sklearn", "scipy"}),
        ("trainer.service", {"pycaret", "fastapi", "sklearn", "pandas"}),
        ("archive.service", {"pandas", "pycaret", "fastapi", "sklearn", "duckdb"}),
    ],
)
def test_what_a_module_does_not_load(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) & forbidden == set()
