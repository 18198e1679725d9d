"""Compiled models are tested beside their thresholds, and those of LightGBM are rounded as they must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from sklearn.tree import DecisionTreeClassifier

from registry.model.classifier import OnnxEngine
from trainer.candidate.agreement import probe_rows, thresholds
from trainer.candidate.compile import _rounded_down, compile_pipeline
from trainer.candidate.rebuild import rebuild
from trainer.evaluate.split_rows import Parts


def noisy(count: int = 600) -> tuple[np.ndarray, tuple[str, ...]]:
    draw = np.random.default_rng(5)
    rows = draw.normal(1_000.0, 300.0, (count, 2))
    return rows, tuple("yes" if row.sum() + draw.normal(0, 200) > 2_000 else "no" for row in rows)


def test_observed_values_around_a_threshold_are_tried_too() -> None:
    rows, labels = noisy()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(rows, labels)
    probes = probe_rows(tree, rows, seed=1, observed=rows)
    known = {value for column in rows.T for value in column}
    for feature, found in enumerate(thresholds(tree, 2)):
        for threshold in found:
            below = max(value for value in rows[:, feature] if value <= threshold)
            assert below in known
            assert below in probes[:, feature]


@given(exact=st.floats(1e-30, 1e30), row=st.floats(0, 2.0**99, width=32, allow_subnormal=False))
def test_a_threshold_rounded_down_divides_single_precision_as_the_exact_one_does(exact: float, row: float) -> None:
    lowered = _rounded_down(np.array([exact]))[float(np.float32(exact))]
    assert (row <= lowered) == (row <= exact)


def test_lightgbm_compiled_is_lightgbm_for_every_single_precision_row() -> None:
    """The converter rounds thresholds to the nearest single-precision value: half of them move up, past some rows."""
    rows, labels = noisy()
    split = Parts(rows.astype(np.float32), labels, rows, labels, ("no", "yes"))
    pipeline = rebuild(LGBMClassifier(n_estimators=30, random_state=7, verbose=-1), split)
    compiled, trouble = compile_pipeline(pipeline, 2)
    assert compiled is not None, trouble
    probes = probe_rows(pipeline.steps[-1][1], rows, seed=1).astype(np.float32)
    _, found = OnnxEngine("test", compiled, ("no", "yes"), True).run(probes.astype(np.float64))
    assert found is not None
    assert np.abs(pipeline.predict_proba(probes) - found).max() == pytest.approx(0, abs=1e-5)
