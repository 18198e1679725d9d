"""When a new model replaces the selected one automatically: only if it is certainly better. It gives a reason."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.run_document import RunDocument
from trainer.policy import MAX_USES, decide, uses_of

BEST: dict[str, Any] = {"name": "new", "model_type": "RandomForest", "rank": 1}
DAY = 86_400_000


def run(difference: Any = 0.1, interval: Any = (0.05, 0.15), **changes: Any) -> RunDocument:
    paired = {"difference": {"F1": difference}, "difference_intervals": {"F1": interval}}
    best = {**BEST, **paired, **changes.pop("best", {})}
    document = {
        "run": "r", "metric": "F1", "holdout_rows": 300, "models": [best],
        "verdict": {"kind": "clear", "sentence": "new is better than the other 4.", "tied": [], "p": 0.005},
        "reference": {"name": "old", "model_type": None, "holdout": {}, "holdout_intervals": {}, "note": None},
    }  # fmt: skip
    return cast(RunDocument, {**document, **changes})


def test_a_model_that_is_surely_better_is_promoted_and_the_sentence_says_by_how_much() -> None:
    found = decide(run(), 0.02, "old", 0)
    assert (found["promoted"], found["reason"], found["model"], found["against"]) == (True, "better", "new", "old")
    assert found["sentence"] == (
        "Promoted: new against old, on the same hold-out: F1 +0.100 (+0.050 to +0.150), "
        "which is above the margin of 0.02."
    )


@pytest.mark.parametrize(
    ("document", "selected", "reason", "says"),
    [
        (run(interval=(0.02, 0.2)), "old", "not_better", "not certain to be above the margin of 0.02"),
        (run(interval=(-0.01, 0.2)), "old", "not_better", "-0.010 to +0.200"),
        (run(-0.1, (-0.2, -0.05)), "old", "not_better", "-0.100"),
        (run(interval=None), "old", "no_interval", "too few independent stretches"),
        (run(interval=(math.nan, 0.2)), "old", "no_interval", "too few"),
        (run(None), "old", "not_compared", "could not be compared"),
        (run(math.nan), "old", "not_compared", "could not be compared"),
        (run(best={"difference": None, "difference_intervals": None}), "old", "not_compared", "could not be"),
        (run(), None, "nothing_selected", "no model is selected"),
        (run(), "other", "not_compared", "other was selected during the run"),
        (run(reference=None), "old", "not_compared", "during the run"),
        (run(), "new", "same_model", "selected already"),
        (run(holdout_rows=0), "old", "no_holdout", "no rows were held out"),
        (run(best={"name": None}), "old", "not_registered", "RandomForest) was not registered"),
        (run(best={"not_recommended": True}), "old", "not_recommended", "recommends no model"),
        (run(verdict={"kind": "nothing_to_learn", "sentence": "There is nothing.", "tied": []}), "old",
         "not_recommended", "recommends no model: There is nothing."),
        (run(verdict={"kind": "not_evaluable", "sentence": "It cannot be.", "tied": []}), "old", "not_recommended",
         "be."),
        (run(verdict=None), "old", "not_recommended", "no model"),
        (run(models=[]), "old", "no_model", "the run has no model"),
    ],
)  # fmt: skip
def test_anything_else_is_a_reason_not_to(document: RunDocument, selected: str | None, reason: str, says: str) -> None:
    found = decide(document, 0.02, selected, 0)
    assert (found["promoted"], found["reason"]) == (False, reason)
    assert found["sentence"].startswith("Not promoted: ")
    assert says in found["sentence"]
    assert ".." not in found["sentence"]


@given(
    low=st.floats(-1, 1), width=st.floats(0, 1), margin=st.floats(0, 0.99), uses=st.integers(0, 50),
)  # fmt: skip
def test_only_an_interval_above_the_margin_promotes_and_a_worn_hold_out_is_named(
    low: float, width: float, margin: float, uses: int
) -> None:
    found = decide(run(low + width / 2, (low, low + width)), margin, "old", uses)
    assert found["promoted"] == (low > margin)
    assert (f"judged {uses} promotions" in found["sentence"]) == (uses >= MAX_USES)


def test_a_hold_out_is_the_same_if_its_rows_are_or_if_it_only_moved() -> None:
    now = {"sha256": "a", "from": 10 * DAY, "to": 16 * DAY}
    assert uses_of(now, [{"sha256": "a", "from": None, "to": None}]) == 1
    assert uses_of(now, [{"sha256": "b", "from": 9 * DAY, "to": 15 * DAY}]) == 1
    assert uses_of(now, [{"sha256": "b", "from": 0, "to": 6 * DAY}]) == 0
    assert uses_of(now, [{"sha256": "b", "from": 0, "to": 100 * DAY}]) == 0
    assert uses_of({**now, "from": None, "to": None}, [now, {**now, "sha256": "b"}]) == 1
    nights = [{"sha256": str(night), "from": night * DAY, "to": (night + 6) * DAY} for night in range(40)]
    assert uses_of(nights[-1], nights[:-1]) == 3
