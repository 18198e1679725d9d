"""Converts models of XGBoost and CatBoost to ONNX, for skl2onnx, also where they are parts of a blend or a stack."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.candidate.boosters import Encoded, Tree, trees_of

ML = "ai.onnx.ml"
KINDS = {"xgboost": "XGB", "catboost": "CatBoost"}  # package to the beginning of its classifier's name


def register() -> None:
    """Makes the converters known to skl2onnx."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    for kind in (Encoded, *_kinds()):
        update_registered_converter(
            kind,
            f"Zelador{kind.__name__}",
            calculate_linear_classifier_output_shapes,
            _convert,
            options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
            overwrite=True,
        )


def _kinds() -> list[type]:
    """The classes of the libraries that this process has loaded, as one has that fitted a model of them."""
    return [getattr(sys.modules[name], f"{kind}Classifier") for name, kind in KINDS.items() if name in sys.modules]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    model = operator.raw_operator
    trees, bases = trees_of(model)
    container.add_node(
        "TreeEnsembleClassifier",
        operator.inputs[0].full_name,
        [output.full_name for output in operator.outputs],
        op_domain=ML,
        name=scope.get_unique_operator_name("Trees"),
        **_labels(model.classes_),
        **attributes(trees, bases),
    )


def _labels(classes: Any) -> dict[str, Any]:
    known = np.asarray(classes).tolist()
    if all(isinstance(each, str) for each in known):
        return {"classlabels_strings": [str(each) for each in known]}
    return {"classlabels_int64s": [int(each) for each in known]}


def attributes(trees: Sequence[Tree], bases: Sequence[float]) -> dict[str, Any]:
    """Returns the attributes of a TreeEnsembleClassifier. `bases` are added to the first leaves of each class."""
    names = ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    nodes: dict[str, list[Any]] = {f"nodes_{name}": [] for name in (*names, "modes", "values")}
    votes: dict[str, list[Any]] = {f"class_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    due = dict(enumerate(bases))
    for number, tree in enumerate(trees):
        inner = [feature >= 0 for feature in tree.features]
        nodes["nodes_treeids"] += [number] * len(inner)
        nodes["nodes_nodeids"] += range(len(inner))
        nodes["nodes_featureids"] += [max(0, feature) for feature in tree.features]
        nodes["nodes_truenodeids"] += tree.left
        nodes["nodes_falsenodeids"] += tree.right
        nodes["nodes_modes"] += ["BRANCH_LEQ" if each else "LEAF" for each in inner]
        nodes["nodes_values"] += tree.limits
        added = {place: due.pop(place) for place in next(iter(tree.leaves.values())) if place in due}
        for node, values in tree.leaves.items():
            for place, value in values.items():
                votes["class_treeids"].append(number)
                votes["class_nodeids"].append(node)
                votes["class_ids"].append(place)
                votes["class_weights"].append(value + added.get(place, 0.0))
    return {**nodes, **votes, "post_transform": "LOGISTIC" if len(bases) == 1 else "SOFTMAX"}
