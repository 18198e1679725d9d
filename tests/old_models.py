"""Old models as people fit and save them: pipelines, searches, ensembles, with their scaler or encoder."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import SVC

FEATURES = ("lux", "temperature", "vibration")
ROWS = np.array([[410.0, 48.0, 1.0], [410.0, 90.0, 9.0]])
EXPECTED = ["normal", "fault"]


@dataclass(frozen=True, slots=True)
class Data:
    table: pd.DataFrame
    rows: np.ndarray
    labels: np.ndarray
    scaler: StandardScaler
    scaled: np.ndarray
    encoder: LabelEncoder
    codes: np.ndarray


@cache
def data() -> Data:
    draw = np.random.default_rng(1)
    lux, temperature, vibration = draw.normal(400, 80, 300), draw.normal(60, 10, 300), draw.gamma(2, 1.5, 300)
    strain = (temperature - 60) / 10 + (vibration - 3) / 2 + draw.normal(0, 0.3, 300)
    labels = np.where(strain > 0.7, "fault", "normal")
    table = pd.DataFrame({"lux": lux, "temperature": temperature, "vibration": vibration})
    scaler, encoder = StandardScaler().fit(table.values), LabelEncoder().fit(labels)
    rows = table.values
    return Data(table, rows, labels, scaler, scaler.transform(rows), encoder, encoder.transform(labels))


def linear() -> LogisticRegression:
    return LogisticRegression(max_iter=5_000)


def forest(**more: Any) -> RandomForestClassifier:
    return RandomForestClassifier(10, random_state=0, **more)


def of_table(model: Any) -> Any:
    return model.fit(data().table, data().labels)


def of_scaled(model: Any, labels: np.ndarray | None = None) -> Any:
    return model.fit(data().scaled, data().labels if labels is None else labels)


def by_name() -> Any:
    chosen = ColumnTransformer(
        [("scale", StandardScaler(), ["vibration", "lux"]), ("as is", "passthrough", ["temperature"])]
    )
    return of_table(Pipeline([("columns", chosen), ("model", linear())]))


def by_remainder() -> Any:
    chosen = ColumnTransformer(
        [("scale", MinMaxScaler(), ["vibration"]), ("out", "drop", ["lux"])], remainder=StandardScaler()
    )
    return of_table(make_pipeline(SimpleImputer(), chosen, linear()).set_output(transform="pandas"))


def by_selector() -> Any:
    chosen = ColumnTransformer([("scale", StandardScaler(), make_column_selector(dtype_include="number"))])
    return of_table(make_pipeline(chosen, forest(n_jobs=-1)))


def with_text() -> Any:
    table = data().table.assign(line=np.where(data().rows[:, 0] > 400, "A", "B"))
    chosen = ColumnTransformer([("line", OneHotEncoder(), ["line"])], remainder="passthrough")
    return make_pipeline(chosen, linear()).fit(table, data().labels)


def after_components() -> Any:
    components = PCA(2).fit(data().scaled)
    model = SVC(probability=True, random_state=0).fit(components.transform(data().scaled), data().labels)
    return model, components, data().scaler


def after_imputer() -> Any:
    imputer = SimpleImputer().fit(data().rows)
    return {"imputer": imputer, "scaler": data().scaler, "clf": of_scaled(linear())}


def after_limits() -> Any:
    limits = MinMaxScaler().fit(data().rows)
    return limits, KNeighborsClassifier().fit(limits.transform(data().rows), data().labels)


def two_scalers() -> Any:
    return of_scaled(linear()), data().scaler, MinMaxScaler().fit(data().rows)


def without_numbers() -> Any:
    model = of_table(linear())
    model.coef_ = model.coef_ * np.nan
    return model


def bytes_classes() -> Any:
    return forest().fit(data().table, data().labels.astype("S"))


def searched(search: Any) -> Any:
    return search.fit(data().table, data().labels)


def stacked() -> Any:
    parts = [("scaled", make_pipeline(StandardScaler(), linear())), ("forest", forest())]
    model = of_table(StackingClassifier(parts, cv=2))
    model.n_jobs = model.estimators_[1].n_jobs = 2
    return model


def voted() -> Any:
    return VotingClassifier([("a", linear()), ("b", GaussianNB())]).fit(data().table, data().codes)


def by_ordinals() -> Any:
    encoder = OrdinalEncoder().fit(data().labels.reshape(-1, 1))
    return {"model": forest().fit(data().table, encoder.transform(data().labels.reshape(-1, 1)).ravel()), "oe": encoder}


def in_words() -> Any:
    words = np.where(data().labels == "fault", "very bad", "so so")
    return OneVsRestClassifier(linear()).fit(data().table, words)


def of_20_columns() -> Any:
    draw = np.random.default_rng(0)
    table = pd.DataFrame(draw.normal(size=(300, 20)), columns=[f"s{i:02d}" for i in range(20)])
    return HistGradientBoostingClassifier(max_iter=5).fit(table, np.where(table["s03"] > 0, "a", "b"))


def with_selector() -> Any:
    return of_table(make_pipeline(SelectKBest(k=2), linear()))


def of_a_whole_table() -> Any:
    """A pipeline that was fitted on a table with its machine and its time, and drops them."""
    table = data().table.assign(machine="press-07", at=range(300))
    chosen = ColumnTransformer([("scale", StandardScaler(), ["vibration", "temperature"]), ("out", "drop", ["at"])])
    return make_pipeline(chosen, linear()).fit(table, data().labels)


def with_a_coded_column(**encoders: Any) -> Any:
    table = data().table.assign(machine_type=np.arange(300) % 2)
    return {"model": forest().fit(table, data().codes), "encoders": encoders}


class Stranger(LogisticRegression):
    """A class of another library, which says that it has no columns."""

    n_features_in_ = 0


def keyed() -> Any:
    return {"model": of_scaled(linear()), "scaler": data().scaler, "features": list(FEATURES), "accuracy": 0.93}


def write_beside(folder: Path) -> None:
    """A folder of a model, its scaler and its label encoder, each in its own file."""
    folder.mkdir()
    joblib.dump(of_scaled(linear(), data().codes), folder / "model.pkl")
    joblib.dump(data().scaler, folder / "scaler.pkl")
    joblib.dump(data().encoder, folder / "label_encoder.pkl")
    (folder / "notes.txt").write_text("C = 1")


def write_older(path: Path) -> None:
    """A pickle that says that scikit-learn 0.23.2 wrote it; its scaler lacks what later versions need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = of_table(make_pipeline(MinMaxScaler(), linear()))
    del model.steps[0][1].clip
    pickled = pickle.dumps(model)
    path.write_bytes(pickled.replace(*(_text(version) for version in (_version(), "0.23.2"))))


def _version() -> str:
    import sklearn

    return str(sklearn.__version__)


def _text(version: str) -> bytes:
    """A short text as a pickle has it: opcode, length, characters."""
    return b"\x8c" + bytes([len(version)]) + version.encode()
