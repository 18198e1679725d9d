"""Compares classifiers with PyCaret. The only module that imports it; it runs in the run's child process.

It depends on one private name of PyCaret 3.3.2, `_master_model_container`. This has the score of each candidate in
each fold, of which the public table shows only the mean, and its length is the progress of the comparison.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycaret.classification import ClassificationExperiment
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from trainer.compare.leaderboard import BASELINE, METRICS, Scored
from zelador.errors import InvalidInput

BY_REQUEST = ("xgboost", "catboost")  # slow beside the others, and there only with the extra
TARGET = "zelador target"  # no feature of a message has a blank in its name, and one may be called label
POLL_S = 0.3


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome. `train` and `holdout` are row numbers; `models` has the estimator to clone, by candidate id.

    `fitted` returns PyCaret's own fitted model for a candidate id; `failed` has the ids without a score.
    """

    scored: list[Scored]
    models: dict[str, Any]
    fitted: Callable[[str], Any]
    failed: list[str]
    train: NDArray[np.int64]
    holdout: NDArray[np.int64]
    holdout_transformed: Any
    precision: np.dtype[Any]  # of the rows that the models were fitted on: `setup` silently makes them single


def compare(
    rows: NDArray[np.float64],
    codes: NDArray[np.int64],
    features: Sequence[str],
    *,
    metric: str,
    folds: int,
    keep: int,
    holdout: float,
    seed: int,
    candidates: Sequence[str] | None,
    progress: Callable[[int, int], None],
) -> Compared:
    """Runs PyCaret's `setup` and `compare_models`. `codes` are the labels as 0 … k-1; of two classes, 1 is positive.

    Raises InvalidInput for a candidate whose library is not installed.
    """
    frame = pd.DataFrame(rows, columns=list(features))
    frame[TARGET] = codes
    experiment = ClassificationExperiment()
    experiment.setup(
        frame,
        target=TARGET,
        train_size=1 - holdout,
        fold=folds,
        session_id=seed,
        n_jobs=1,  # worker processes cost more than they gain on data of this size
        memory=False,
        system_log=False,
        html=False,
        verbose=False,
    )
    known = experiment.models()
    if absent := [name for name in candidates or () if name not in known.index]:
        raise InvalidInput(f"candidate {absent[0]!r} is not installed; choose from {', '.join(known.index)}")
    usual = [name for name in known.index if bool(known.loc[name, "Turbo"]) and name not in BY_REQUEST]
    wanted = list(candidates) if candidates else usual
    if BASELINE not in wanted:
        wanted.append(BASELINE)  # for comparison: a useful candidate beats it
    container: list[Any] = experiment._master_model_container
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(container, len(wanted), progress, done), daemon=True)
    watcher.start()
    best = experiment.compare_models(
        include=wanted,
        n_select=keep,
        fold=folds,
        turbo=True,
        sort=metric,
        round=12,  # the default of four decimals would make ties
        errors="ignore",
        verbose=False,
    )
    done.set()
    watcher.join()
    took = experiment.pull()["TT (Sec)"]  # seconds of one fold, by candidate id
    x_train = experiment.get_config("X_train")
    y_train = experiment.get_config("y_train")
    classes = {str(known.loc[name, "Reference"]).rsplit(".", 1)[-1]: name for name in known.index}
    scored: list[Scored] = []
    models: dict[str, Any] = {}
    for item in container:
        name = classes.get(type(item["model"]).__name__)
        if name is None or name in models:
            continue
        table = item["scores"].drop(index=["Mean", "Std"], errors="ignore").rename(columns={"Prec.": "Precision"})
        scores = {m: [float(v) for v in table[m]] for m in METRICS}
        has_probabilities = hasattr(item["model"], "predict_proba")
        if metric == "AUC" and has_probabilities and not all(scores["AUC"]) and name != BASELINE:
            scores["AUC"] = _auc(item["model"], item["cv"], x_train, y_train)
        seconds = round(float(took[name]) * folds, 2) if name in took.index else None
        scored.append(Scored(name, scores, has_probabilities, seconds))
        models[name] = item["model"]
    selected = best if isinstance(best, list) else [best]  # a single one is not in a list
    ready = {classes[type(model).__name__]: model for model in selected if type(model).__name__ in classes}

    def fitted(name: str) -> Any:
        """PyCaret fits only its own best; ours can be others, because the baseline may be among its best."""
        if name not in ready:
            ready[name] = experiment.create_model(models[name], cross_validation=False, verbose=False)
        return ready[name]

    return Compared(
        scored,
        models,
        fitted,
        [name for name in wanted if name not in models],
        x_train.index.to_numpy(),
        experiment.get_config("X_test").index.to_numpy(),
        experiment.get_config("X_test_transformed"),
        x_train.to_numpy().dtype,
    )


def _auc(model: Any, folds: Any, rows: Any, codes: Any) -> list[float]:
    """The AUC in each of PyCaret's folds, computed from probabilities.

    For a model that has both, PyCaret uses decision values, which silently score 0 with more than two classes.
    """
    pipeline = make_pipeline(SimpleImputer(strategy="mean"), clone(model))
    scoring = "roc_auc" if codes.nunique() == 2 else "roc_auc_ovr_weighted"
    return [float(score) for score in cross_val_score(pipeline, rows, codes, cv=folds, scoring=scoring)]


def _watch(container: list[Any], total: int, progress: Callable[[int, int], None], done: threading.Event) -> None:
    seen = -1
    while not done.wait(POLL_S):
        if len(container) != seen:
            seen = len(container)
            progress(seen, total)
