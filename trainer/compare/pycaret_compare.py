"""Compares classifiers with PyCaret. Runs in the child process of a run.

PyCaret takes the folds as a PredefinedSplit, and hands over the scores of each test row through a custom metric. This
module uses one private name of PyCaret 3.3.2, `_create_model`: the public one hides which candidate failed and why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycaret.classification import ClassificationExperiment
from sklearn.model_selection import PredefinedSplit

from trainer.compare.leaderboard import BASELINE, EVERY
from trainer.compare.tried import Tried
from trainer.evaluate.balance import sampler
from trainer.evaluate.calibrate import middle_of, scores_of
from zelador.classifiers import MODEL_TYPES
from zelador.errors import InvalidInput
from zelador.printable import counted

BY_REQUEST = ("xgboost", "catboost")  # slower than the others, and installed only with the extra
TARGET = "zelador target"  # with a blank, which no feature's name has; a feature may be called "label"
METRIC = "zelador"
MAX_REASON = 300  # characters of an exception

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ways:
    """How PyCaret compares. `until` is the `time.perf_counter` value at which the budget is used up."""

    balance: bool = False
    gpu: bool = False
    shares: bool = False  # also keep probabilities, for blends and stacks
    budget_s: float | None = None
    until: float | None = None


class OverBudget(Exception):
    """The budget was used up in the middle of a candidate."""


class Comparison:
    """PyCaret's experiment on the training rows. `codes` are the labels as 0 … k-1, `folds` the fold of each row."""

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
        exclude: Sequence[str] = (),
        ways: Ways | None = None,
    ) -> None:
        """Runs `setup`. Raises InvalidInput for a candidate whose library is not installed."""
        self._count = len(codes)
        self._ways = ways = ways or Ways()
        self._seen: list[tuple[Codes, Array, Array | None]] = []
        self._middle = 0.0
        self._folds = len(np.unique(folds[folds >= 0]))
        self._folded: Callable[[int, int], None] = _nobody
        self._is_limited = False  # the first candidate always finishes, whatever the budget
        self._experiment = experiment = ClassificationExperiment()
        experiment.setup(
            _frame(rows, codes, features, 0),
            test_data=_frame(test, test_codes, features, len(rows)),
            target=TARGET,
            fold_strategy=PredefinedSplit(folds),
            session_id=seed,
            n_jobs=1,  # worker processes cost more time than they save here, and their scores would not reach us
            memory=False,
            fix_imbalance=ways.balance,
            fix_imbalance_method=sampler(seed) if ways.balance else "SMOTE",
            use_gpu=ways.gpu,
            system_log=False,
            html=False,
            verbose=False,
        )
        known = experiment.models()
        if absent := [name for name in candidates or () if name not in known.index and name != EVERY]:
            raise InvalidInput(f"candidate {absent[0]!r} is not installed; choose from {', '.join(known.index)}")
        usual = [name for name in known.index if bool(known.loc[name, "Turbo"]) and name not in BY_REQUEST]
        every = [name for name in known.index if name in MODEL_TYPES]
        asked = every if list(candidates or ()) == [EVERY] else candidates
        wanted = [name for name in dict.fromkeys(asked or usual) if name not in exclude or name == BASELINE]
        self.names = tuple(wanted if BASELINE in wanted else [*wanted, BASELINE])  # every useful candidate beats it
        self._metrics = {METRIC: SimpleNamespace(scorer=self._keep_scores, display_name=METRIC, greater_is_better=True)}
        # `setup` silently converts rows to single precision; a model that stops early gives other labels in double
        self.precision: np.dtype[Any] = experiment.get_config("X_train").to_numpy().dtype
        self.transformed = experiment.get_config("X_test_transformed")

    def run(self, name: str, model: Any = None, folded: Callable[[int, int], None] | None = None) -> Tried:
        """Fits a candidate in each fold, and returns its scores. Without `model`, PyCaret makes the one for `name`.

        `folded` is called after each fold, with its number and the number of folds.
        """
        self._folded = folded or _nobody
        self._seen.clear()
        started = time.perf_counter()
        if self._is_limited and (over := self.over) is not None:
            return Tried(name, None, None, 0.0, f"it was not compared: {over}")
        try:
            model, _ = self._experiment._create_model(
                name if model is None else model,
                fold=None,
                refit=False,
                system=False,
                verbose=False,
                add_to_model_list=False,
                metrics=self._metrics,
                error_score="raise",
            )
        except OverBudget:
            seconds = time.perf_counter() - started
            return Tried(name, None, None, round(seconds, 2), f"it was not finished: {self.over}")
        except Exception as error:  # noqa: BLE001 - candidates raise anything; it is shown on the leaderboard
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:MAX_REASON]
            seconds = time.perf_counter() - started
            return Tried(name, None, None, round(seconds, 2), f"fold {len(self._seen) + 1} failed: {reason}")
        seconds = round(time.perf_counter() - started, 2)
        scores = np.full((self._count, self._seen[0][1].shape[1]), np.nan)
        shares = None if self._seen[0][2] is None else np.full((self._count, self._seen[0][2].shape[1]), np.nan)
        for rows, found, probabilities in self._seen:
            scores[rows] = found
            if shares is not None and probabilities is not None:
                shares[rows] = probabilities
        self._is_limited = True
        if np.isnan(scores).any():
            return Tried(
                name, model, None, seconds, f"{counted(int(np.isnan(scores).any(axis=1).sum()), 'row')} got no score"
            )
        if shares is not None and np.isnan(shares).any():
            shares = None
        return Tried(name, model, np.clip(scores, -1e30, 1e30), seconds, middle=self._middle, shares=shares)

    def fitted(self, model: Any) -> Any:
        """Returns PyCaret's own model, fitted on all training rows."""
        return self._experiment.create_model(model, cross_validation=False, predict=False, verbose=False)

    def grid(self, name: str) -> dict[str, list[Any]]:
        """Returns PyCaret's tuning grid of a candidate: the values of each parameter."""
        found = self._experiment._all_models_internal[name].tune_grid
        return {parameter: list(values) for parameter, values in found.items()}

    @property
    def over(self) -> str | None:
        """Returns a message once the budget is used up; None before."""
        if self._ways.until is None or time.perf_counter() <= self._ways.until:
            return None
        return f"the budget of {self._ways.budget_s:g} s was used up (--budget)"

    def _keep_scores(self, fitted: Any, rows: Any, expected: Any) -> float:
        """Keeps the scores of a fold's test rows. PyCaret calls it as a metric, so it returns a number."""
        if self._is_limited and self.over is not None:
            raise OverBudget
        shares = None
        if self._ways.shares and hasattr(fitted, "predict_proba"):
            shares = np.asarray(fitted.predict_proba(rows), dtype=np.float64)
        self._seen.append((expected.index.to_numpy(), scores_of(fitted, rows), shares))
        self._middle = middle_of(fitted)
        self._folded(len(self._seen), self._folds)
        return 0.0


def _nobody(_fold: int, _folds: int) -> None:
    """Of a candidate whose folds nobody watches."""


def _frame(rows: Array, codes: Codes, features: Sequence[str], first: int) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(features), index=range(first, first + len(rows)))
    frame[TARGET] = codes
    return frame
