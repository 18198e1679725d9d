"""Finds out how transformers and a model that were saved apart belong together, by widths and by learned values.

Each order of some of the transformers is tried: a scaler that was fitted on 400 ± 80 cannot come after another scaler,
and a forest whose thresholds lie around 400 was not fitted on scaled values.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.adopt.pickle_parts import Part, described
from registry.adopt.plain import core, plain
from registry.adopt.region import Values, agree, draw, region_of, region_of_rows
from registry.errors import TypeRefused

MAX_TRANSFORMERS = 4
ROWS = 64


@dataclass(frozen=True, slots=True)
class Chain:
    """The transformers before the model, in order. `unused`: transformers that the model was not fitted after."""

    steps: tuple[Part, ...]
    unused: tuple[Part, ...] = ()


def chain(model: Any, transformers: Sequence[Part], optional: bool = False) -> Chain:
    """The order of `transformers` before `model`, if it is certain. Raises TypeRefused, naming them.

    `optional`: one that does not fit belongs to another model.
    """
    if not transformers:
        return Chain(())
    if len(transformers) > MAX_TRANSFORMERS:
        raise _refused(transformers, f"their order cannot be found out for more than {MAX_TRANSFORMERS}")
    for part in transformers:
        if not _fitted(part.what):
            raise _refused([part], "it was never fitted")
    inner = [part for part in transformers if any(_same(part.what, step) for step in _steps(model))]
    outer = [part for part in transformers if part not in inner]
    orders = [
        order
        for count in range(len(outer), -1, -1)
        for order in itertools.permutations(outer, count)
        if _possible(order, model)
    ]
    longest = [order for order in orders if orders and len(order) == len(orders[0])]
    left_out = bool(longest) and len(longest[0]) < len(outer)
    if not longest or (left_out and not optional and not _contradicted(longest[0], outer, model)):
        why = "it does not fit" if len(outer) == 1 else "no order of them fits"
        raise _refused(outer, f"{why} what the model was fitted on")
    if len(longest) > 1:
        raise _refused(outer, "it is not certain in which order they were used")
    used = longest[0]
    return Chain(tuple(used), tuple(part for part in transformers if part not in used))


def transformed(steps: Sequence[Part], rows: Values) -> Values:
    """The rows after all transformers. Exceptions pass through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in steps:
            found = plain(core(part.what)).transform(rows)
            rows = np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=np.float64)
    return rows


def width_of(estimator: Any) -> int | None:
    """The number of columns that an estimator takes, if it says so."""
    for part in (estimator, *_steps(estimator)):
        try:
            count = getattr(part, "n_features_in_", None)
        except Exception:  # noqa: BLE001 - a pipeline that delegates to an odd step raises anything
            count = None
        if isinstance(count, int | np.integer):
            return int(count)
    return None


def _possible(order: Sequence[Part], model: Any) -> bool:
    """False if widths or learned values contradict this order."""
    first: Values | None = None
    rows = np.empty((0, 0))
    for part in (*(part.what for part in order), model):
        width = width_of(part)
        if first is None:
            if width is None:
                return not order
            first = rows = draw(region_of(part, width), ROWS)
        elif (width is not None and rows.shape[1] != width) or agree(
            region_of_rows(rows), region_of(part, rows.shape[1])
        ) is False:
            return False
        if part is model:
            return not order or _varies(model, rows) or not _varies(model, first)
        try:
            rows = transformed([Part("", part)], rows)
        except Exception:  # noqa: BLE001 - it does not take such rows, whatever it raises
            return False
    return True


def _varies(model: Any, rows: Values) -> bool:
    """False if the model gives one answer to all rows, or none: they are far from those that it was fitted on."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return len(set(np.asarray(plain(core(model)).predict(rows)).ravel().tolist())) > 1
    except Exception:  # noqa: BLE001 - it does not take such rows, whatever it raises
        return False


def _contradicted(used: Sequence[Part], outer: Sequence[Part], model: Any) -> bool:
    """True if learned values, and not only widths, show that none of the others was used before the model."""
    width = width_of(model)
    if used or width is None or any(width_of(part.what) != width for part in outer):
        return False
    for part in outer:
        region = region_of(part.what, width)
        if agree(region, region_of(model, width)) is not True and not _varies(model, draw(region, ROWS)):
            return False
    return True


def _steps(model: Any) -> list[Any]:
    steps = getattr(model, "steps", None)
    return [step for _, step in steps] if isinstance(steps, list) else []


def _fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    except Exception:  # noqa: BLE001 - not of scikit-learn: asking it shows more
        return True
    return True


def _same(one: Any, other: Any) -> bool:
    """True if two transformers learned the same."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    ours = {name: each for name, each in vars(one).items() if name.endswith("_") and isinstance(each, np.ndarray)}
    theirs = vars(other)
    return bool(ours) and all(
        isinstance(theirs.get(name), np.ndarray) and np.array_equal(each, theirs[name]) for name, each in ours.items()
    )


def _refused(parts: Sequence[Part], why: str) -> TypeRefused:
    found = ", ".join(map(described, parts))
    return TypeRefused(f"the model comes with {found}, and {why}; save them as one scikit-learn Pipeline")
