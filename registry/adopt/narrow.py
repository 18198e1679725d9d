"""Leaves out the columns that a model drops: people fit a pipeline on a whole table, with its time and its machine.

A ColumnTransformer that begins the pipeline chooses the columns; readings need not have the others.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


def narrowed(pipeline: Any) -> tuple[Any, tuple[str, ...]]:
    """The pipeline without the columns that it drops, and their names. Its columns are chosen by number (plain.py)."""
    first = _first(pipeline)
    names = getattr(first, "feature_names_in_", None)
    places = getattr(first, "_transformer_to_input_indices", None)
    if names is None or places is None:
        return pipeline, ()
    parts = {name: part for name, part, _ in first.transformers_}
    used = sorted({int(at) for name, found in places.items() if not _is_dropped(parts.get(name)) for at in found})
    if not used or len(used) == len(names):
        return pipeline, ()
    changed = copy.deepcopy(pipeline)
    _narrow(_first(changed), used)
    return changed, tuple(str(name) for at, name in enumerate(names) if at not in used)


def _first(pipeline: Any) -> Any:
    """The part that gets the rows."""
    while isinstance(steps := getattr(pipeline, "steps", None), list) and steps:
        pipeline = steps[0][1]
    return pipeline


def _is_dropped(part: Any) -> bool:
    return part is None or (isinstance(part, str) and part == "drop")


def _narrow(chooser: Any, used: list[int]) -> None:
    moved = {before: now for now, before in enumerate(used)}

    def column(given: Any) -> Any:
        return moved[given] if isinstance(given, int) else [moved[at] for at in given if at in moved]

    chooser.transformers_ = [
        (n, part, [] if _is_dropped(part) else column(at)) for n, part, at in chooser.transformers_
    ]
    kept = {name: at for name, _, at in chooser.transformers_}
    chooser.transformers = [(name, part, kept.get(name, [])) for name, part, _ in chooser.transformers]
    chooser._columns = [at for _, _, at in chooser.transformers]
    chooser._transformer_to_input_indices = {
        name: column([int(at) for at in found]) for name, found in chooser._transformer_to_input_indices.items()
    }
    kind, part, at = chooser._remainder
    chooser._remainder = (kind, part, column(list(at)))
    chooser.feature_names_in_ = np.asarray(chooser.feature_names_in_, dtype=object)[used]
    chooser.n_features_in_ = chooser._n_features = len(used)
