"""Each case of an old model: the contents of a pickle, the names that a person gives, and the expected result.

The result is labels for ROWS in the order of FEATURES, or the reason for the refusal.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_balanced_pipeline
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    IsolationForest,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from tests.old_models import (
    FEATURES,
    Stranger,
    after_components,
    after_imputer,
    after_limits,
    by_name,
    by_ordinals,
    by_remainder,
    by_selector,
    bytes_classes,
    data,
    forest,
    in_words,
    keyed,
    linear,
    of_20_columns,
    of_a_whole_table,
    of_scaled,
    of_table,
    searched,
    stacked,
    two_scalers,
    voted,
    with_a_coded_column,
    with_selector,
    with_text,
    without_numbers,
)


@dataclass(frozen=True, slots=True)
class Case:
    """The expected `labels`, or the reason for `refused`; `noted` is in a note, `columns` are the model's own."""

    what: Callable[[], Any]
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ("normal", "fault")
    refused: str = ""
    noted: str = ""
    columns: tuple[str, ...] = FEATURES


CODED = "classes 0, 1 are named fault, normal"
JOINED = "joined in this order"

CASES: dict[str, Case] = {
    # columns by name, and in another order
    "a column transformer by name": Case(by_name),
    "a column transformer with remainder, in tables": Case(by_remainder),
    "a column selector": Case(by_selector),
    "fitted in another order": Case(
        lambda: forest().fit(data().table[["vibration", "temperature", "lux"]], data().labels),
        FEATURES,
        noted="its own order of columns is kept: vibration, temperature, lux",
        columns=("vibration", "temperature", "lux"),
    ),
    "names that move": Case(
        lambda: of_table(forest()),
        ("temperature", "vibration", "light"),
        refused="temperature would get the values of lux",
    ),
    "without names": Case(lambda: forest().fit(data().rows, data().labels), refused="--features"),
    "LightGBM without names": Case(
        lambda: LGBMClassifier(n_estimators=3, verbose=-1).fit(data().rows, data().labels), refused="--features"
    ),
    "a text column": Case(with_text, refused="it takes texts in a column"),
    "a function of a table": Case(
        lambda: of_table(Pipeline([("f", FunctionTransformer(lambda rows: rows[["lux"]])), ("m", linear())])),
        refused="does not answer a row of numbers",
    ),
    "columns that the model drops": Case(
        of_a_whole_table, noted="left out: lux, machine, at", columns=("temperature", "vibration")
    ),
    "more names than it needs": Case(
        of_a_whole_table, FEATURES, noted="it needs only temperature", columns=("temperature", "vibration")
    ),
    "an own class": Case(
        lambda: Stranger(max_iter=5_000).fit(data().rows, data().labels), FEATURES, refused="not on the allow-list"
    ),
    "one column": Case(
        lambda: DecisionTreeClassifier().fit(data().table[["vibration"]], data().labels), columns=("vibration",)
    ),
    "twenty columns": Case(of_20_columns, columns=tuple(f"s{i:02d}" for i in range(20))),
    # several objects
    "model and scaler": Case(lambda: (of_scaled(linear()), data().scaler), FEATURES, noted=JOINED),
    "scaler and model": Case(lambda: [data().scaler, of_scaled(linear()), list(FEATURES)], noted=JOINED),
    "nested": Case(lambda: ((of_scaled(forest()), (data().scaler,)), {"cols": FEATURES}), noted=JOINED),
    "an array of objects": Case(
        lambda: np.array([data().scaler, of_scaled(forest())], dtype=object), FEATURES, noted=JOINED
    ),
    "a dict": Case(keyed, noted="not used: ['accuracy'] (float)"),
    "a namespace": Case(lambda: types.SimpleNamespace(**keyed()), noted=JOINED),
    "scaler, components, model": Case(after_components, FEATURES, noted="[2] (StandardScaler), [1] (PCA), then"),
    "imputer, scaler, model": Case(after_imputer, FEATURES, noted="['imputer'] (SimpleImputer), ['scaler']"),
    "neighbors and limits": Case(after_limits, FEATURES, noted=JOINED),
    "a forest of raw rows and a scaler": Case(
        lambda: (of_table(forest()), data().scaler), noted="not used, because it does not belong before the model"
    ),
    "a linear model of raw rows and a scaler": Case(
        lambda: (of_table(linear()), data().scaler), noted="not used, because it does not belong before the model"
    ),
    "a pipeline and its own scaler": Case(
        lambda: {"all": of_table(make_pipeline(StandardScaler(), linear())), "scaler": data().scaler},
        noted="not used, because it does not belong before the model: ['scaler']",
    ),
    "two scalers": Case(
        two_scalers, FEATURES, refused=r"StandardScaler\), .*MinMaxScaler\), and no order of them fits"
    ),
    "a scaler of two columns": Case(
        lambda: (StandardScaler().fit(data().rows[:, :2]), of_table(linear())), refused="StandardScaler.*does not fit"
    ),
    "a scaler that was never fitted": Case(lambda: (StandardScaler(), of_table(linear())), refused="never fitted"),
    "a threshold": Case(lambda: {**keyed(), "threshold": 0.3}, refused=r"\['threshold'\] \(float\), which may change"),
    "the usual threshold": Case(lambda: {**keyed(), "threshold": 0.5}, noted="['threshold'] (float)"),
    "a threshold by another name": Case(lambda: {**keyed(), "bestThr": 0.3}, refused="bestThr.*which may change"),
    "a function": Case(lambda: {**keyed(), "prepare": np.mean}, refused=r"\['prepare'\].*which may change"),
    "two models": Case(
        lambda: {"a": of_table(linear()), "b": of_table(GaussianNB())}, refused=r"2 models \(\['a'\].*each in a file"
    ),
    "training data beside": Case(
        lambda: {"model": of_table(linear()), "X": data().table, "y": data().labels},
        noted="not used: ['X'] (DataFrame)",
    ),
    # labels
    "a label encoder": Case(
        lambda: (AdaBoostClassifier(n_estimators=5, algorithm="SAMME").fit(data().table, data().codes), data().encoder),
        noted=CODED,
    ),
    "a vote and a label encoder": Case(lambda: {"m": voted(), "le": data().encoder}, noted=CODED),
    "a dict of labels": Case(lambda: {"model": voted(), "names": {0: "fault", 1: "normal"}}, noted=CODED),
    "a dict of codes": Case(lambda: {"model": voted(), "codes": {"fault": 0, "normal": 1}}, noted=CODED),
    "a list of classes": Case(lambda: {"model": voted(), "class_names": ["fault", "normal"]}, noted=CODED),
    "codes alone": Case(voted, labels=("1", "0"), noted="name them with --classes"),
    "an encoder of three": Case(
        lambda: (voted(), LabelEncoder().fit(["a", "b", "c"])), refused="for 3 classes .* not certain"
    ),
    "an encoder of a column": Case(
        lambda: with_a_coded_column(machine_type=LabelEncoder().fit(["A", "B"])),
        labels=("1", "0"),
        noted="not used, because it converts the column machine_type",
        columns=(*FEATURES, "machine_type"),
    ),
    "an encoder of a column and one of the labels": Case(
        lambda: with_a_coded_column(machine_type=LabelEncoder().fit(["A", "B"]), target=data().encoder),
        noted=CODED,
        columns=(*FEATURES, "machine_type"),
    ),
    "classes that change places": Case(
        lambda: {"model": voted(), "names": {0: "1", 1: "0"}}, refused="each other's names"
    ),
    "codes from one": Case(
        lambda: (linear().fit(data().table, data().codes + 1), data().encoder),
        refused="classes are 1, 2: it is not certain",
    ),
    "bytes": Case(bytes_classes),
    "booleans": Case(lambda: forest().fit(data().table, data().labels == "fault"), labels=("0", "1")),
    "booleans as texts": Case(
        lambda: forest().fit(data().table, np.where(data().labels == "fault", "True", "False")),
        labels=("0", "1"),
        noted="classes False, True are named 0, 1",
    ),
    "labels by an ordinal encoder": Case(by_ordinals, noted=CODED),
    "classes -1 and 1": Case(
        lambda: forest().fit(data().table, data().codes * 2 - 1), labels=("1", "-1"), noted="its classes are -1, 1"
    ),
    "whole floats": Case(lambda: forest().fit(data().table, data().codes * 1.0), labels=("1", "0")),
    "words with spaces": Case(in_words, labels=("so so", "very bad")),
    # searches and wrappings
    "a grid search": Case(
        lambda: searched(
            GridSearchCV(make_pipeline(StandardScaler(), linear()), {"logisticregression__C": [1, 9]}, cv=2)
        )
    ),
    "a search inside": Case(
        lambda: of_table(make_pipeline(StandardScaler(), GridSearchCV(linear(), {"C": [1, 9]}, cv=2)))
    ),
    "a search that kept no model": Case(
        lambda: searched(GridSearchCV(linear(), {"C": [1, 9]}, cv=2, refit=False)), refused="holds no fitted model"
    ),
    "calibrated": Case(lambda: of_table(CalibratedClassifierCV(forest(), method="isotonic", cv=2))),
    "stacked": Case(stacked),
    "bagged": Case(lambda: of_table(BaggingClassifier(linear(), 3, max_features=2, n_jobs=-1, random_state=0))),
    "balanced": Case(lambda: of_table(make_balanced_pipeline(StandardScaler(), RandomOverSampler(), linear()))),
    "columns by a test": Case(with_selector),
    "LightGBM": Case(lambda: of_table(LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=-1))),
    # no classifier, or one that does not answer
    "outliers": Case(
        lambda: IsolationForest(n_estimators=10).fit(data().table), refused="IsolationForest is an outlier detector"
    ),
    "a regressor": Case(lambda: Ridge().fit(data().table, data().codes), refused="Ridge is a regressor"),
    "a search for a regressor": Case(
        lambda: RandomizedSearchCV(RandomForestRegressor(3), {"max_depth": [2, 3]}, n_iter=2, cv=2).fit(
            data().table, data().codes
        ),
        refused="RandomForestRegressor is a regressor",
    ),
    "groups": Case(lambda: KMeans(2, n_init=1).fit(data().table), refused="KMeans is a clustering"),
    "a scaler": Case(lambda: data().scaler, refused="StandardScaler is a transformer"),
    "an encoder": Case(lambda: data().encoder, refused="LabelEncoder converts labels"),
    "a pipeline without a model": Case(
        lambda: make_pipeline(SimpleImputer(), StandardScaler()).fit(data().table),
        refused="ends in StandardScaler is a",
    ),
    "a table": Case(lambda: data().table, refused="DataFrame cannot be saved: it holds no model"),
    "LightGBM's own": Case(
        lambda: of_table(LGBMClassifier(n_estimators=2, verbose=-1)).booster_, refused="save the LGBMClassifier"
    ),
    "never fitted": Case(linear, refused="never fitted"),
    "several outputs": Case(
        lambda: MultiOutputClassifier(linear()).fit(data().table, np.column_stack([data().codes, 1 - data().codes])),
        refused="predicts 2 labels for each row",
    ),
    "several labels": Case(
        lambda: OneVsRestClassifier(linear()).fit(data().table, np.column_stack([data().codes, 1 - data().codes])),
        refused="predicts several labels",
    ),
    "one class": Case(lambda: DecisionTreeClassifier().fit(data().table, ["ok"] * 300), refused="only the class 'ok'"),
    "no numbers": Case(without_numbers, refused="not finite numbers"),
}
