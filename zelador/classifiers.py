"""The classifiers that training compares: PyCaret's id, the model type, and how people write it.

Models are named by their type, such as RandomForest_20261124_120432; pages say Random Forest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CLASSIFIERS: tuple[tuple[str, str, str], ...] = (  # id, model type, name
    ("lr", "LogisticRegression", "Logistic Regression"),
    ("knn", "KNearestNeighbors", "K Neighbors"),
    ("nb", "NaiveBayes", "Naive Bayes"),
    ("dt", "DecisionTree", "Decision Tree"),
    ("svm", "LinearSVM", "Linear SVM"),
    ("rbfsvm", "RBFSVM", "RBF SVM"),
    ("gpc", "GaussianProcess", "Gaussian Process"),
    ("mlp", "NeuralNetwork", "Neural Network"),
    ("ridge", "Ridge", "Ridge"),
    ("rf", "RandomForest", "Random Forest"),
    ("qda", "QuadraticDiscriminant", "Quadratic Discriminant"),
    ("ada", "AdaBoost", "AdaBoost"),
    ("gbc", "GradientBoosting", "Gradient Boosting"),
    ("lda", "LinearDiscriminant", "Linear Discriminant"),
    ("et", "ExtraTrees", "Extra Trees"),
    ("xgboost", "XGBoost", "XGBoost"),
    ("lightgbm", "LightGBM", "LightGBM"),
    ("catboost", "CatBoost", "CatBoost"),
    ("dummy", "Dummy", "Dummy"),
)
MODEL_TYPES: Mapping[str, str] = {id_: model_type for id_, model_type, _ in CLASSIFIERS}
NAMES: Mapping[str, str] = {id_: name for id_, _, name in CLASSIFIERS}
TUNED = "Tuned"  # begins the model type of a tuned one
SPELLED: Mapping[str, str] = {model_type: name for _, model_type, name in CLASSIFIERS}
TYPES = re.compile(rf"\b({TUNED})?({'|'.join(SPELLED)})\b")


def spelled(text: str) -> str:
    """Writes each model type in a text with spaces. Names of models stay: an underscore follows the type."""
    return TYPES.sub(lambda found: f"{TUNED + ' ' if found[1] else ''}{SPELLED[found[2]]}", text)
