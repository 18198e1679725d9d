"""Candidates compared on a local Dask cluster have the scores of a comparison in one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.faults.conftest import whole_matrix
from trainer.compare.parallel import compare
from zelador.errors import Unavailable

pytestmark = [whole_matrix, pytest.mark.training, pytest.mark.filterwarnings("ignore")]


def arguments() -> dict[str, object]:
    draw = np.random.default_rng(1)
    codes = draw.integers(0, 2, 400)
    rows = np.stack([codes + draw.normal(size=400), draw.normal(size=400)], axis=1)
    return {"rows": rows[:300], "codes": codes[:300], "folds": np.arange(300) % 3, "test": rows[300:],
            "test_codes": codes[300:], "features": ("a", "b"), "seed": 7, "candidates": ("lr", "nb", "dt")}  # fmt: skip


def test_a_dask_cluster_gives_the_same_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.compare.pycaret_compare import Comparison

    monkeypatch.chdir(tmp_path)
    local = Comparison(**arguments())  # type: ignore[arg-type]
    found = compare("dask", None, arguments(), local.names)
    assert [each.id for each in found] == list(local.names) == ["lr", "nb", "dt", "dummy"]
    for each in found:
        here = local.run(each.id)
        assert each.scores is not None and here.scores is not None
        assert np.allclose(each.scores, here.scores)


def test_a_cluster_that_does_not_answer_fails_the_run_with_a_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.compare.parallel.CONNECT_S", 0.2)
    with pytest.raises(Unavailable, match="the dask cluster did not compare the classifiers"):
        compare("dask", "tcp://127.0.0.1:9", arguments(), ("lr",))
