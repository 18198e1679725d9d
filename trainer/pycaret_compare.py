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

from trainer.leaderboard import METRICS, Scored

TARGET = "label"
LOOK_S = 0.3


@dataclass(frozen=True, slots=True)
class Compared:
    """`train` and `holdout` are row numbers; `models` an unfitted-as-we-need estimator by candidate id.

    `fitted` has PyCaret's own fitted models of its best `n_select`, by candidate id; `failed` the ids without a score.
    """

    scored: list[Scored]
    models: dict[str, Any]
    fitted: dict[str, Any]
    failed: list[str]
    train: NDArray[np.int64]
    holdout: NDArray[np.int64]
    holdout_transformed: Any


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
    """`setup` and `compare_models` on labels given as codes 0 … k-1 (of two, 1 is the positive class)."""
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
    wanted = list(candidates) if candidates else [name for name in known.index if bool(known.loc[name, "Turbo"])]
    if "dummy" not in wanted:
        wanted.append("dummy")  # the baseline that every candidate has to beat
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
    classes = {str(known.loc[name, "Reference"]).rsplit(".", 1)[-1]: name for name in known.index}
    scored: list[Scored] = []
    models: dict[str, Any] = {}
    for item in container:
        name = classes.get(type(item["model"]).__name__)
        if name is None or name in models:
            continue
        table = item["scores"].drop(index=["Mean", "Std"], errors="ignore").rename(columns={"Prec.": "Precision"})
        scored.append(Scored(name, {m: [float(v) for v in table[m]] for m in METRICS}))
        models[name] = item["model"]
    selected = best if isinstance(best, list) else [best]  # one alone comes without a list
    fitted = {classes[type(model).__name__]: model for model in selected if type(model).__name__ in classes}
    return Compared(
        scored,
        models,
        fitted,
        [name for name in wanted if name not in models],
        experiment.get_config("X_train").index.to_numpy(),
        experiment.get_config("X_test").index.to_numpy(),
        experiment.get_config("X_test_transformed"),
    )


def _watch(container: list[Any], total: int, progress: Callable[[int, int], None], done: threading.Event) -> None:
    seen = -1
    while not done.wait(LOOK_S):
        if len(container) != seen:
            seen = len(container)
            progress(seen, total)
