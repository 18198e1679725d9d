"""Gives a model that was fitted on codes the names of its classes, so that it predicts names."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from registry.adopt.join import width_of
from registry.adopt.region import draw, region_of
from registry.model.classifier import classes_of, text_of

ROWS = 200
# Where estimators of scikit-learn and LightGBM keep what turns their codes into labels, and the part that answers.
DECODERS = ("_label_binarizer", "label_binarizer_", "_label_encoder", "_le", "le_")
ANSWERERS = ("estimator_", "base_estimator_")
CLASSES = ("classes_", "_classes")


def relabeled(estimator: Any, names: Sequence[str]) -> Any:
    """The estimator, which predicts `names`, in the order of its classes; itself if it does so already.

    An estimator that cannot be renamed is returned as it is, with a warning.
    """
    own = classes_of(estimator)
    if len(own) != len(names) or set(own) == set(names):
        return estimator
    named = copy.deepcopy(estimator)
    for holder in _holders(named):
        for attribute in CLASSES:
            codes = vars(holder).get(attribute)
            if codes is not None and tuple(map(text_of, np.asarray(codes).tolist())) == own:
                setattr(holder, attribute, np.array(names))
    if not _agree(estimator, named, dict(zip(own, names, strict=True))):
        warnings.warn(
            f"the model predicts the codes {', '.join(own)}; they stand for {', '.join(names)}, in this order",
            stacklevel=3,
        )
        return estimator
    return named


def _holders(estimator: Any) -> Iterator[Any]:
    """The parts that know the classes: the last step of a pipeline, and what it answers with."""
    while isinstance(steps := getattr(estimator, "steps", None), list) and steps:
        estimator = steps[-1][1]
    yield estimator
    for attribute in DECODERS:
        if hasattr(vars(estimator).get(attribute), "__dict__"):
            yield vars(estimator)[attribute]
    for attribute in ANSWERERS:
        if hasattr(vars(estimator).get(attribute), "predict"):
            yield from _holders(vars(estimator)[attribute])
    if type(estimator).__name__ == "AdaBoostClassifier":  # it counts the labels that its parts predict
        for part in estimator.estimators_:
            yield from _holders(part)


def _agree(before: Any, after: Any, names: dict[str, str]) -> bool:
    """Whether `after` answers rows with the names of what `before` answers."""
    width = width_of(before)
    if width is None or classes_of(after) != tuple(names.values()):
        return False
    near = draw(region_of(before, width), ROWS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for rows in (near, np.abs(near)):
                expected = [names[text_of(code)] for code in np.asarray(before.predict(rows)).ravel().tolist()]
                if np.asarray(after.predict(rows)).ravel().tolist() != expected:
                    return False
    except Exception:  # noqa: BLE001 - whatever a renamed estimator raises, it does not answer
        return False
    return True
