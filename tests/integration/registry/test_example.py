"""Runs examples/registry_demo.py as a user does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from registry.registry import Registry
from tests.up import clean_environment

SCRIPT = Path(__file__).parents[3] / "examples" / "registry_demo.py"


def run(folder: Path, **variables: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT)],
        capture_output=True, text=True, timeout=120, check=False, cwd=folder, env={**clean_environment(), **variables},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_it_saves_lists_loads_and_classifies_and_leaves_nothing(tmp_path: Path) -> None:
    lines = run(tmp_path)
    assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3.", "4.", "5."]
    saved = [line.split()[0] for line in lines[1:4]]
    assert saved == ["forest_v1", "boosting_v1", "logistic_v1"]
    assert any("never overwritten" in line for line in lines)
    said = {line[3:21].strip(): line.split(" (yes")[0].split()[-1] for line in lines if "(yes:" in line}
    assert said == {"a quiet night": "no", "an ordinary shift": "no", "a hot afternoon": "no",
                    "a loose bearing": "yes", "hot and shaking": "yes"}  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_in_the_users_own_registry_the_models_stay(tmp_path: Path) -> None:
    run(tmp_path, ZELADOR_REGISTRY__URL="mine")
    assert set(Registry.open(tmp_path / "mine").state.models) == {"boosting_v1", "logistic_v1"}
