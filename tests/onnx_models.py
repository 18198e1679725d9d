"""Every kind of classifier and step that the trainer's compiler can turn into ONNX, fitted on a few rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from trainer.candidate.compile import compile_pipeline

WIDTH = 4
LINEAR, FOREST = LogisticRegression(max_iter=300), RandomForestClassifier(8, max_depth=4, random_state=0)
ESTIMATORS: dict[str, Any] = {
    "LogisticRegression": LINEAR,
    "LogisticRegression, one against the rest": LogisticRegression(multi_class="ovr"),
    "KNeighbors": KNeighborsClassifier(),
    "KNeighbors, by distance": KNeighborsClassifier(weights="distance"),
    "KNeighbors, Manhattan": KNeighborsClassifier(metric="manhattan"),
    "GaussianNB": GaussianNB(),
    "BernoulliNB": BernoulliNB(),
    "DecisionTree": DecisionTreeClassifier(max_depth=5),
    "ExtraTree": ExtraTreeClassifier(max_depth=4),
    "SGD": SGDClassifier(),
    "SGD, log loss": SGDClassifier(loss="log_loss"),
    "Perceptron": Perceptron(),
    "SVC": SVC(),
    "SVC, probabilities": SVC(probability=True),
    "SVC, linear": SVC(kernel="linear", probability=True),
    "SVC, polynomial": SVC(kernel="poly"),
    "SVC, sigmoid": SVC(kernel="sigmoid"),
    "NuSVC": NuSVC(nu=0.1),
    "MLP": MLPClassifier((8,), max_iter=20),
    "MLP, tanh": MLPClassifier((8,), max_iter=20, activation="tanh"),
    "MLP, logistic": MLPClassifier((8,), max_iter=20, activation="logistic"),
    "MLP, identity": MLPClassifier((8,), max_iter=20, activation="identity"),
    "Ridge": RidgeClassifier(),
    "RandomForest": FOREST,
    "ExtraTrees": ExtraTreesClassifier(8, max_depth=4),
    "QDA": QuadraticDiscriminantAnalysis(),
    "LDA": LinearDiscriminantAnalysis(),
    "AdaBoost": AdaBoostClassifier(n_estimators=4),
    "AdaBoost, SAMME": AdaBoostClassifier(n_estimators=4, algorithm="SAMME"),
    "GradientBoosting": GradientBoostingClassifier(n_estimators=4),
    "LightGBM": LGBMClassifier(n_estimators=5, verbose=-1),
    "LightGBM, dart": LGBMClassifier(n_estimators=5, verbose=-1, boosting_type="dart"),
    "Bagging": BaggingClassifier(DecisionTreeClassifier(max_depth=3), 3),
    "Stacking": StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))]),
    "Calibrated, sigmoid": CalibratedClassifierCV(FOREST, cv=3),
    "Calibrated, isotonic": CalibratedClassifierCV(FOREST, method="isotonic", cv=3),
    "Calibrated, one fit": CalibratedClassifierCV(FOREST, cv=3, ensemble=False),
    "Calibrated, linear SVM": CalibratedClassifierCV(LinearSVC(dual="auto"), cv=3),
}
STEPS: dict[str, Any] = {
    "StandardScaler": StandardScaler(),
    "MinMaxScaler": MinMaxScaler(),
    "MaxAbsScaler": MaxAbsScaler(),
    "RobustScaler": RobustScaler(),
    "Normalizer, L2": Normalizer(),
    "Normalizer, L1": Normalizer("l1"),
    "Normalizer, max": Normalizer("max"),
}


def rows_and_labels(classes: int, text: bool) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(240, WIDTH)).astype(np.float32)
    score = rows[:, 0] + rows[:, 1] / 2 + 0.3 * draw.normal(size=240)
    labels = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    return rows, np.array([f"c{number}" for number in range(classes)])[labels] if text else labels


@cache
def compiled(name: str, classes: int = 2, text: bool = True, step: str | None = None) -> bytes:
    steps = [("imputer", SimpleImputer()), *([("step", clone(STEPS[step]))] if step else [])]
    pipeline = Pipeline([*steps, ("model", clone(ESTIMATORS[name]))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(*rows_and_labels(classes, text))
        data, why = compile_pipeline(pipeline, WIDTH)
    assert data is not None, (name, why)
    return data


def every_kind(whole: bool) -> Iterator[tuple[str, bytes]]:
    """Yields each estimator with two and three classes and both kinds of labels; without `whole`, two of the four."""
    for name in ESTIMATORS:
        for classes, text in ((2, True), (3, False), (2, False), (3, True))[: 4 if whole else 2]:
            yield f"{name}, {classes} classes", compiled(name, classes, text)
    for step in STEPS:
        yield step, compiled("LogisticRegression", step=step)
