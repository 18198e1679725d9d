"""Checks the arrays of a tree ensemble: every index in range, every tree a tree. ONNX Runtime follows them unchecked:
a cycle would never end, and an index out of range would read other memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.model.onnx.values import Refused

MAX_DEPTH = 1_000  # ONNX Runtime builds a tree by recursion
LEAF, BRANCH = "LEAF", "BRANCH_LEQ"

Ids = NDArray[np.int64]


def check_trees(given: dict[str, Any], columns: int, classes: int) -> int:
    """The sum of the trees' depths. Raises Refused."""
    modes = given["nodes_modes"]
    leaf = np.fromiter((mode == LEAF for mode in modes), np.bool_, len(modes))
    if bad := set(modes) - {LEAF, BRANCH}:
        raise _refused(f"a node of the mode {min(bad)[:40]!r}")
    names = ("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids")
    tree, node, feature, true, false = (_ids(given, name, len(modes)) for name in names)
    for name in ("nodes_values", "nodes_hitrates", "nodes_missing_value_tracks_true"):
        if len(given.get(name, modes)) != len(modes):
            raise _refused(f"{name} whose length differs from nodes_modes")
    if len(modes) == 0 or int(tree.max()) >= len(modes) or int(node.max()) >= len(modes):
        raise _refused("node ids beyond the number of its nodes")
    if int(feature[~leaf].max(initial=0)) >= columns or int(feature.max()) >= max(columns, 1):
        raise _refused(f"a feature beyond its {columns} columns")
    places = _Places(tree, node)
    depths = _check_shape(places, tree[~leaf], true[~leaf], false[~leaf], np.flatnonzero(~leaf), len(modes))
    _check_votes(given, places, leaf, classes)
    return depths


class _Places:
    """Maps tree and node id to the position in the arrays."""

    def __init__(self, tree: Ids, node: Ids) -> None:
        self._width = len(tree) + 1
        keys = tree * self._width + node
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        if bool((np.diff(self._keys) == 0).any()):
            raise _refused("the same node twice")
        self.trees = len(np.unique(tree))

    def of(self, tree: Ids, node: Ids) -> Ids:
        wanted = tree * self._width + node
        found = np.searchsorted(self._keys, wanted).clip(max=len(self._keys) - 1)
        if bool((self._keys[found] != wanted).any()) or bool((node >= self._width).any()):
            raise _refused("an index of a missing node")
        places: Ids = self._order[found]
        return places


def _check_shape(places: _Places, tree: Ids, true: Ids, false: Ids, parents: Ids, count: int) -> int:
    """Checks that each node except the roots has exactly one parent and is reachable; returns the sum of the depths."""
    left, right = places.of(tree, true), places.of(tree, false)
    named = np.bincount(np.concatenate([left, right]), minlength=count)
    roots = np.flatnonzero(named == 0)
    if int(named.max(initial=0)) > 1 or len(roots) != places.trees:
        raise _refused("a node with two parents, or a tree without exactly one root")
    children = np.full((count, 2), -1)
    children[parents, 0], children[parents, 1] = left, right
    level, reached, depths = roots, 0, 0
    for _ in range(MAX_DEPTH):
        reached, depths = reached + len(level), depths + min(len(level), places.trees)
        level = children[level].ravel()
        level = level[level >= 0]
        if len(level) == 0:
            break
    if reached != count:
        raise _refused(f"a cycle, or a tree deeper than {MAX_DEPTH:,}")
    return depths


def _check_votes(given: dict[str, Any], places: _Places, leaf: NDArray[np.bool_], classes: int) -> None:
    votes = len(given["class_ids"])
    ids = _ids(given, "class_ids", votes)
    tree, node = _ids(given, "class_treeids", votes), _ids(given, "class_nodeids", votes)
    if votes == 0 or len(given["class_weights"]) != votes or int(ids.max()) >= classes:
        raise _refused("votes that do not fit each other or its classes")
    if int(tree.max()) > len(leaf) or not bool(leaf[places.of(tree, node)].all()):
        raise _refused("votes of a node that is not a leaf")


def _ids(given: dict[str, Any], name: str, count: int) -> Ids:
    found: Ids = given[name]
    if len(found) != count:
        raise _refused(f"{name} of a different length than the others")
    if bool((found < 0).any()) or bool((found > 1 << 31).any()):
        raise _refused(f"{name} out of range")
    return found


def _refused(why: str) -> Refused:
    return Refused(f"has a tree ensemble with {why}")
