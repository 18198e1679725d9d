"""PyCaret behind one interface: the only module that imports it. Runs in the run's own child process.

`_master_model_container` is the one private name that we lean on (3.3.2): it has each candidate's score in
each fold, which the public table shows only as a mean, and its length is how far the comparison is.
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

TARGET = "label"
LOOK_S = 0.3


@dataclass(frozen=True, slots=True)
class Compared:
    """`train` and `holdout` are row numbers; `models` an unfitted-as-we-need estimator by candidate id.

    `fitted` gives PyCaret's own fitted model of a candidate id; `failed` has the ids without a score.
    """

    scored: list[Scored]
    models: dict[str, Any]
    fitted: Callable[[str], Any]
    failed: list[str]
    train: NDArray[np.int64]
    holdout: NDArray[np.int64]
    holdout_transformed: Any
    precision: np.dtype[Any]  # of the rows as the models saw them: `setup` makes them single without a word


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
    """`setup` and `compare_models` on labels given as codes 0 … k-1 (of two, 1 is the positive class).

    Raises InvalidInput for a candidate that is not installed here.
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
        n_jobs=1,  # worker processes cost more than they bring on data of this size
        memory=False,
        system_log=False,
        html=False,
        verbose=False,
    )
    known = experiment.models()
    if absent := [name for name in candidates or () if name not in known.index]:
        raise InvalidInput(f"candidate {absent[0]!r} is not installed here; there are {', '.join(known.index)}")
    wanted = list(candidates) if candidates else [name for name in known.index if bool(known.loc[name, "Turbo"])]
    if BASELINE not in wanted:
        wanted.append(BASELINE)  # which every candidate has to beat
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
        round=12,  # ranking must not depend on four decimals
        errors="ignore",
        verbose=False,
    )
    done.set()
    watcher.join()
    took = experiment.pull()["TT (Sec)"]  # of one fold, by candidate id
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
    selected = best if isinstance(best, list) else [best]  # one alone comes without a list
    at_hand = {classes[type(model).__name__]: model for model in selected if type(model).__name__ in classes}

    def fitted(name: str) -> Any:
        """PyCaret fits only its own best; ours can be others, as the baseline takes a place among them."""
        if name not in at_hand:
            at_hand[name] = experiment.create_model(models[name], cross_validation=False, verbose=False)
        return at_hand[name]

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
    """The AUC in each of PyCaret's own folds, from probabilities.

    PyCaret takes decision values where a model has both, and with more than two classes those give it a silent 0.
    """
    pipeline = make_pipeline(SimpleImputer(strategy="mean"), clone(model))
    scoring = "roc_auc" if codes.nunique() == 2 else "roc_auc_ovr_weighted"
    return [float(score) for score in cross_val_score(pipeline, rows, codes, cv=folds, scoring=scoring)]


def _watch(container: list[Any], total: int, progress: Callable[[int, int], None], done: threading.Event) -> None:
    seen = -1
    while not done.wait(LOOK_S):
        if len(container) != seen:
            seen = len(container)
            progress(seen, total)
