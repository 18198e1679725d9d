"""Models of XGBoost and CatBoost as the registry keeps them: their trees, and nothing of their own formats.

The registry loads no file of these libraries, because their parsers are not hardened. So their models are saved and
served only in the compiled form, which has the same splits: both libraries compare in single precision, as ONNX does.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

LIBRARIES = {"xgboost": "XGBoost", "catboost": "CatBoost"}
OBJECTIVES = ("binary:logistic", "multi:softprob")  # of XGBoost


class Unsupported(ValueError):
    """A model whose trees this module does not read."""


class Encoded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A model of these libraries that is fitted on codes, because XGBoost takes no texts. It answers with the texts."""

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def fit(self, rows: Any, labels: Any) -> Self:
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self.estimator_ = self.estimator.fit(rows, codes)
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict(self, rows: Any) -> Any:
        return self.classes_[np.asarray(self.estimator_.predict(rows)).astype(int).ravel()]

    def predict_proba(self, rows: Any) -> Any:
        return self.estimator_.predict_proba(rows)


def library_of(model: Any) -> str | None:
    """Returns which of LIBRARIES a model is of, or a part of it; None if the registry loads all of its parts."""
    return next((name for part in _parts(model) if (name := _package(part)) in LIBRARIES), None)


@dataclass(slots=True)
class Tree:
    """A tree. A row goes left at a node if its value is at most `limits`; a leaf has the feature -1.

    `leaves` has the values that a leaf adds, by class, by the place of the leaf in the other lists.
    """

    features: list[int] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    leaves: dict[int, dict[int, float]] = field(default_factory=dict)

    def add(self, feature: int, limit: float) -> int:
        for values, value in ((self.features, feature), (self.left, 0), (self.right, 0)):
            values.append(value)
        self.limits.append(limit)
        return len(self.features) - 1


def trees_of(model: Any) -> tuple[list[Tree], list[float]]:
    """Returns the trees of a fitted model, and what is added to their sums, by class; of two, only for the second.

    Raises Unsupported.
    """
    model = getattr(model, "estimator_", model)
    return _of_xgboost(model) if _package(model) == "xgboost" else _of_catboost(model)


def split_values(model: Any) -> Iterator[tuple[int, float]] | None:
    """Returns the feature and the largest value that goes left, of each split; None for a model without such trees."""
    if _package(getattr(model, "estimator_", model)) not in LIBRARIES:
        return None
    trees, _ = trees_of(model)
    return ((at, limit) for tree in trees for at, limit in zip(tree.features, tree.limits, strict=True) if at >= 0)


def _parts(model: Any) -> Iterator[Any]:
    """Yields a model, and the models that it combines."""
    yield model
    for name in ("estimator", "final_estimator"):
        if hasattr(part := getattr(model, name, None), "fit"):
            yield from _parts(part)
    members = getattr(model, "estimators", None)
    for member in members if isinstance(members, list | tuple) else ():
        yield from _parts(member[1] if isinstance(member, tuple) else member)


def _package(model: Any) -> str:
    return type(model).__module__.partition(".")[0]


def _of_xgboost(model: Any) -> tuple[list[Tree], list[float]]:
    learner = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]
    booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    if booster["name"] != "gbtree" or objective not in OBJECTIVES:
        raise Unsupported(f"XGBoost's {booster['name']} with {objective} has no compiled form")
    bases = _numbers(learner["learner_model_param"]["base_score"])
    if objective == "binary:logistic":
        bases = np.log(bases / (1 - bases))
    count = max(1, int(learner["learner_model_param"]["num_class"]))
    trees = [
        _tree_of_xgboost(each, place)
        for each, place in zip(booster["model"]["trees"], booster["model"]["tree_info"], strict=True)
    ]
    return trees, np.broadcast_to(bases, count).tolist()


def _numbers(text: str) -> NDArray[np.float64]:
    """Returns the numbers of a text such as "[5E-1]"; older versions write one without brackets."""
    return np.atleast_1d(np.array(json.loads(text), dtype=np.float64))


def _tree_of_xgboost(given: dict[str, Any], place: int) -> Tree:
    if any(given["split_type"]) or int(given["tree_param"]["size_leaf_vector"]) > 1:
        raise Unsupported("XGBoost's splits by category, and leaves of several values, have no compiled form")
    tree = Tree()
    values = np.array(given["split_conditions"], dtype=np.float32)
    below = np.nextafter(values, np.float32(-np.inf))  # it goes left below the value, and ONNX up to it
    for node, (left, right) in enumerate(zip(given["left_children"], given["right_children"], strict=True)):
        if left < 0:
            tree.leaves[tree.add(-1, 0.0)] = {place: float(values[node])}
        else:
            tree.add(given["split_indices"][node], float(below[node]))
            tree.left[node], tree.right[node] = left, right
    return tree


def _of_catboost(model: Any) -> tuple[list[Tree], list[float]]:
    with tempfile.TemporaryDirectory(prefix="zelador-catboost-") as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        given = json.loads(path.read_bytes())
    if "oblivious_trees" not in given:
        raise Unsupported("CatBoost's asymmetric trees have no compiled form")
    scale, biases = given["scale_and_bias"]
    trees = [_tree_of_catboost(each, scale, len(biases)) for each in given["oblivious_trees"]]
    return trees, [float(bias) for bias in biases]


def _tree_of_catboost(given: dict[str, Any], scale: float, width: int) -> Tree:
    """Returns the tree of a list of splits, one for each level. A split whose answer is known is left out."""
    splits = []
    for split in given["splits"] or ():
        if split["split_type"] != "FloatFeature":
            raise Unsupported("CatBoost's splits by category have no compiled form")
        splits.append((int(split["float_feature_index"]), float(np.float32(split["border"]))))
    values, tree = given["leaf_values"], Tree()

    def grow(level: int, leaf: int, known: dict[int, tuple[float, float]]) -> int:
        while level < len(splits):
            feature, border = splits[level]
            low, high = known.get(feature, (-np.inf, np.inf))
            if low < border < high:
                node = tree.add(feature, border)
                tree.left[node] = grow(level + 1, leaf, {**known, feature: (low, border)})
                tree.right[node] = grow(level + 1, leaf | 1 << level, {**known, feature: (border, high)})
                return node
            leaf |= (border <= low) << level
            level += 1
        node = tree.add(-1, 0.0)
        tree.leaves[node] = {place: scale * values[leaf * width + place] for place in range(width)}
        return node

    grow(0, 0, {})
    return tree
