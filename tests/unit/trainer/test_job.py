"""What a run refuses before any second is spent on it."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from registry.registry import Registry
from trainer.compare.engines import check_engine
from trainer.dataset import assemble
from trainer.run.job import train
from trainer.run.options import More, Options
from zelador.errors import InvalidInput
from zelador.settings import Settings

GOOD = assemble([[float(i)] for i in range(60)], ["x", "y"] * 30, ("a",), "a test", 100, seed=7)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"candidates": ("lr", "magic")}, "no candidate 'magic'; choose from lr, knn"),
        ({"names": ("one", "one")}, "'one' is named twice"),
        ({"more": More(exclude=("magic",))}, "exclude: there is no candidate 'magic'"),
        ({"candidates": ("lr",), "more": More(exclude=("lr",))}, "no candidate would be left"),
    ],
)
def test_a_request_that_cannot_be_met_starts_no_process(tmp_path: Path, asked: dict[str, Any], says: str) -> None:
    registry = Registry.open(tmp_path)
    with pytest.raises(InvalidInput, match=says):
        train(GOOD, Settings(), registry, Options("20261124_115838-a38d", "test", "F1", **asked), Event())
    assert registry.runs() == []


def test_a_cluster_whose_packages_are_not_installed_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"PARALLEL=ray needs ray, which is not installed; .* 'fugue\[ray\]'"):
        check_engine("ray")
