"""Turns a fitted estimator into one that the registry can keep and a worker can ask with plain arrays.

A search becomes its best estimator, samplers of training are left out, columns that are chosen by name are chosen by
position, every part works on one processor, and outputs are arrays. The caller compares the answers before and after.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from registry.adopt.kinds import is_search, named
from registry.errors import TypeRefused
from registry.legacy.unwrap import is_wrapped, unwrap
from registry.model.classifier import Rows

MAX_OBJECTS = 200_000
TOLERANCE = 1e-6  # of a probability
OUTPUT = "_sklearn_output_config"


def core(model: Any) -> Any:
    """The estimator that answers: the best of a search, a pipeline without samplers or without PyCaret's wrappers.

    Raises TypeRefused.
    """
    if is_search(model):
        if not hasattr(model, "best_estimator_"):
            raise TypeRefused(f"{named(model)} holds no fitted model (refit=False, or it was never fitted)")
        return core(model.best_estimator_)
    if is_wrapped(model):
        return unwrap(model)
    steps = getattr(model, "steps", None)
    if not isinstance(steps, list) or not steps or not hasattr(model, "named_steps"):
        return model
    kept = [(name, core(step)) for name, step in steps if not hasattr(step, "fit_resample")]
    foreign = not type(model).__module__.startswith("sklearn.")  # such as imbalanced-learn's Pipeline
    if foreign or len(kept) != len(steps) or any(a is not b for (_, a), (_, b) in zip(kept, steps, strict=True)):
        from sklearn.pipeline import Pipeline

        return Pipeline(kept)
    return model


def plain(model: Any) -> Any:
    """A copy of the estimator for arrays and one processor; the estimator itself if nothing has to change."""
    if not any(_must_change(part) for part in _parts(model)):
        return model
    changed = copy.deepcopy(model)
    for part in list(_parts(changed)):
        if OUTPUT in vars(part):
            delattr(part, OUTPUT)
        if vars(part).get("n_jobs") not in (None, 1):
            part.n_jobs = 1
        if callable(vars(part).get("score_func")):
            part.score_func = getattr(part.score_func, "__name__", None)  # needed to fit, and not to transform
        if hasattr(part, "_transformer_to_input_indices"):
            _by_position(part)
    return changed


def check_same(before: Any, after: Any, names: Sequence[str] | None, rows: Rows, used: Sequence[str] = ()) -> None:
    """Raises TypeRefused unless both answer alike. `before` is asked with a table if it was fitted on one.

    `used`: `rows` have only these of its columns; the others get 0.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = _table(rows, used or names)
        if used and names is not None:
            table = table.reindex(columns=list(names), fill_value=0.0)
        try:
            expected = before.predict(table)
            shares = before.predict_proba(table) if hasattr(before, "predict_proba") else None
        except Exception:  # noqa: BLE001 - the copy answers arrays, which is what a worker has
            return
        found = after.predict(rows)
        differ = int((np.asarray(found).ravel() != np.asarray(expected).ravel()).sum())
        far = 0.0 if shares is None else float(np.abs(np.asarray(shares) - np.asarray(after.predict_proba(rows))).max())
    if differ or not far <= TOLERANCE:
        raise TypeRefused(
            f"it answers rows otherwise than a table with column names: {differ} of {len(rows)} labels differ, "
            f"probabilities by up to {far:.2g}"
        )


def _table(rows: Rows, names: Sequence[str] | None) -> Any:
    """The rows as a pandas table, if the model was fitted on one and pandas is installed."""
    if names is None:
        return rows
    try:
        import pandas as pd
    except ImportError:
        return rows
    return pd.DataFrame(rows, columns=list(names))


def _must_change(part: Any) -> bool:
    own = vars(part)
    return (
        OUTPUT in own
        or own.get("n_jobs") not in (None, 1)
        or "_transformer_to_input_indices" in own
        or callable(own.get("score_func"))
    )


def _by_position(chooser: Any) -> None:
    """Chooses a ColumnTransformer's columns by position, as arrays need; by name it accepts only tables."""
    places = {name: [int(place) for place in found] for name, found in chooser._transformer_to_input_indices.items()}
    single = {name: _is_single(columns) for name, _, columns in chooser.transformers_}

    def column(name: str) -> Any:
        return places[name][0] if single.get(name) and len(places[name]) == 1 else places[name]

    chooser.transformers_ = [(name, part, column(name)) for name, part, _ in chooser.transformers_]
    chooser.transformers = [(name, part, column(name)) for name, part, _ in chooser.transformers]
    chooser._columns = [column(name) for name, _, _ in chooser.transformers]
    kind, part, _ = chooser._remainder
    chooser._remainder = (kind, part, places.get(kind, []))


def _is_single(columns: Any) -> bool:
    """True if a part takes its column as a vector, not as a table of one column."""
    return isinstance(columns, str | int) and not isinstance(columns, bool)


def _parts(root: Any) -> Iterator[Any]:
    """Every estimator in `root`, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting and len(seen) < MAX_OBJECTS:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, str | bytes | int | float | type | None):
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list | tuple):
            waiting += found
        elif getattr(getattr(found, "dtype", None), "kind", "") == "O":
            waiting += found.ravel().tolist()
        elif hasattr(found, "get_params") or (hasattr(found, "__dict__") and _is_library(found)):
            yield found
            waiting += vars(found).values()


def _is_library(found: Any) -> bool:
    return type(found).__module__.startswith(("sklearn.", "lightgbm.sklearn", "imblearn."))
