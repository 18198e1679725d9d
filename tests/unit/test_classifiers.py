"""Pages write the type of a model as people do; names of models stay as they are."""

from __future__ import annotations

import pytest

from admin.console.training.candidates import CANDIDATES, SLOW, all_but
from zelador.classifiers import MODEL_TYPES, spelled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RandomForest", "Random Forest"),
        ("TunedKNearestNeighbors is better", "Tuned K Neighbors is better"),
        ("take NaiveBayes, and ExtraTrees", "take Naive Bayes, and Extra Trees"),
        ("RandomForest_20261124_120432", "RandomForest_20261124_120432"),
        ("MyRandomForest", "MyRandomForest"),
        ("LightGBM", "LightGBM"),
        ("", ""),
    ],
)
def test_a_type_is_spelled_with_spaces(text: str, said: str) -> None:
    assert spelled(text) == said


def test_each_type_is_there_once() -> None:
    assert len({*MODEL_TYPES.values()}) == len(MODEL_TYPES)


def test_of_the_candidates_one_is_left_out() -> None:
    assert all_but("dt", ("lr", "dt")) == ["lr"]
    fast = {*CANDIDATES} - {*SLOW, "rf"}
    assert {*all_but("rf", ())} == {*all_but("rf", ("rf",))} == fast
