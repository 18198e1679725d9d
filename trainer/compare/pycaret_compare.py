"""Compares classifiers with PyCaret. The only module that imports it; it runs in the run's child process.

PyCaret gets the folds as a PredefinedSplit, and gives the scores of each test row through a metric of ours. It depends
on one private name of PyCaret 3.3.2, `_create_model`: the public one hides which candidate failed and why.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycaret.classification import ClassificationExperiment
from sklearn.model_selection import PredefinedSplit

from trainer.compare.leaderboard import BASELINE
from trainer.compare.tried import Tried
from trainer.evaluate.calibrate import middle_of, scores_of
from zelador.errors import InvalidInput

BY_REQUEST = ("xgboost", "catboost")  # slow beside the others, and there only with the extra
TARGET = "zelador target"  # no feature of a message has a blank in its name, and one may be called label
METRIC = "zelador"
MAX_REASON = 300  # characters

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


class Comparison:
    """PyCaret's experiment on the training rows; `codes` are the labels as 0 … k-1, `folds` the fold of each row."""

    def __init__(
        self,
        rows: Array,
        codes: Codes,
        folds: Codes,
        test: Array,
        test_codes: Codes,
        features: Sequence[str],
        seed: int,
        candidates: Sequence[str] | None,
    ) -> None:
        """Runs `setup`. Raises InvalidInput for a candidate whose library is not installed."""
        self._count = len(codes)
        self._seen: list[tuple[Codes, Array]] = []
        self._middle = 0.0
        self._experiment = experiment = ClassificationExperiment()
        experiment.setup(
            _frame(rows, codes, features, 0),
            test_data=_frame(test, test_codes, features, len(rows)),
            target=TARGET,
            fold_strategy=PredefinedSplit(folds),
            session_id=seed,
            n_jobs=1,  # worker processes cost more than they gain on data of this size, and would keep the scores
            memory=False,
            system_log=False,
            html=False,
            verbose=False,
        )
        known = experiment.models()
        if absent := [name for name in candidates or () if name not in known.index]:
            raise InvalidInput(f"candidate {absent[0]!r} is not installed; choose from {', '.join(known.index)}")
        usual = [name for name in known.index if bool(known.loc[name, "Turbo"]) and name not in BY_REQUEST]
        wanted = list(dict.fromkeys(candidates or usual))
        self.names = tuple(wanted if BASELINE in wanted else [*wanted, BASELINE])  # a useful candidate beats it
        self._metrics = {METRIC: SimpleNamespace(scorer=self._see, display_name=METRIC, greater_is_better=True)}
        # `setup` silently makes the rows single; in double precision a model that stops early gives other labels
        self.precision: np.dtype[Any] = experiment.get_config("X_train").to_numpy().dtype
        self.transformed = experiment.get_config("X_test_transformed")

    def run(self, name: str) -> Tried:
        """Fits a candidate in each fold."""
        self._seen.clear()
        started = time.perf_counter()
        try:
            model, _ = self._experiment._create_model(
                name,
                fold=None,
                refit=False,
                system=False,
                verbose=False,
                add_to_model_list=False,
                metrics=self._metrics,
                error_score="raise",
            )
        except Exception as error:  # noqa: BLE001 - candidates raise anything; it is shown on the leaderboard
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_REASON]
            seconds = time.perf_counter() - started
            return Tried(name, None, None, round(seconds, 2), f"fold {len(self._seen) + 1} failed: {reason}")
        seconds = round(time.perf_counter() - started, 2)
        scores = np.full((self._count, self._seen[0][1].shape[1]), np.nan)
        for rows, found in self._seen:
            scores[rows] = found
        if np.isnan(scores).any():
            return Tried(name, model, None, seconds, f"{int(np.isnan(scores).any(axis=1).sum())} rows got no score")
        return Tried(name, model, np.clip(scores, -1e30, 1e30), seconds, middle=self._middle)

    def fitted(self, model: Any) -> Any:
        """PyCaret's own model, fitted on all training rows."""
        return self._experiment.create_model(model, cross_validation=False, verbose=False)

    def _see(self, fitted: Any, rows: Any, expected: Any) -> float:
        """Keeps the scores of a fold's test rows. It is called as a metric, so it returns a number."""
        self._seen.append((expected.index.to_numpy(), scores_of(fitted, rows)))
        self._middle = middle_of(fitted)
        return 0.0


def _frame(rows: Array, codes: Codes, features: Sequence[str], first: int) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(features), index=range(first, first + len(rows)))
    frame[TARGET] = codes
    return frame
