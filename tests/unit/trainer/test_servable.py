"""A model of a library that the registry does not load is compared, but not chosen, and a note says why."""

from __future__ import annotations

from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier

from registry.evaluation.bootstrap import Difference
from trainer.candidate.servable import refusal
from trainer.evaluate.learnable import Learnable
from trainer.evaluate.verdict import Contender, decide


def test_classifiers_that_the_registry_loads_can_be_served() -> None:
    for model in (LogisticRegression(), LGBMClassifier(), RandomForestClassifier(), AdaBoostClassifier()):
        assert refusal(model) is None


def test_the_library_is_named_even_inside_a_blend() -> None:
    assert "a model of XGBoost cannot be served" in (refusal(XGBClassifier()) or "")
    blend = VotingClassifier([("lr", LogisticRegression()), ("cat", CatBoostClassifier())])
    assert "a model of CatBoost cannot be served" in (refusal(blend) or "")


def test_a_winner_that_cannot_be_served_is_named_with_the_one_to_take() -> None:
    first = Contender("XGBoost", 0.9, (0.8, 0.95), None, (0.7, 0.9), 0.8, built=False)
    second = Contender("Ridge", 0.5, (0.4, 0.6), Difference(0.4, (0.2, 0.6)), (0.2, 0.6), 0.4, us_per_row=1.0)
    found = decide([first, second], "F1", Learnable(0.001), {}, 2)
    assert found.take == "Ridge"
    assert found.sentence.startswith("XGBoost is better than the other one")
    assert found.sentence.endswith("It cannot be served, so take Ridge, the best that can.")
