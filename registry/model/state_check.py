"""Checks the state of a loaded estimator before it predicts.

scikit-learn's compiled code follows child, feature and sample indices without bounds checks, because it expects state
from `fit`. A file can contain any state, so this module checks those indices once, at load.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

MAX_OBJECTS = 2_000_000
PLAIN = (str, bytes, bytearray, int, float, bool, type(None), np.generic, type, slice)
OUTLIERS = ("IsolationForest", "OneClassSVM", "LocalOutlierFactor", "SVR", "NuSVR")  # not classifiers
POINTS = ("_tree", "NeighborsBase")
PLACES = {  # by type: the attribute, and the class of its owner
    "Tree": ("tree_", "BaseDecisionTree"),
    "KDTree": POINTS,
    "KDTree64": POINTS,
    "KDTree32": POINTS,
    "BallTree": POINTS,
    "BallTree64": POINTS,
    "BallTree32": POINTS,
}


class BadState(ValueError):
    """The state cannot come from training."""


def check_state(estimator: Any) -> None:
    """Checks an estimator. Raises BadState. Neighbor trees are rebuilt from their points, not taken from the file."""
    for found in _objects(estimator):
        kind = type(found)
        _check_places(found)
        if kind.__module__.startswith("sklearn."):
            _check_shadows(found, kind)
            _check_one(found, {base.__name__ for base in kind.__mro__})
        elif isinstance(found, np.random.RandomState | np.random.Generator):
            _check_random(found)
        elif kind.__module__.startswith("scipy.sparse"):
            _check_sparse(found)


def _objects(root: Any) -> Iterable[Any]:
    """Every object reachable from the estimator, each once, inner objects first."""
    seen: dict[int, Any] = {}
    order: list[Any] = []
    waiting: list[Any] = [root]
    while waiting:
        found = waiting.pop()
        if isinstance(found, PLAIN) or id(found) in seen:
            continue
        seen[id(found)] = found
        _require(len(seen) <= MAX_OBJECTS, "it contains too many objects")
        order.append(found)
        waiting += _parts(found)
    return order[::-1]


def _parts(found: Any) -> list[Any]:
    if isinstance(found, dict):
        return [*found.keys(), *found.values()]
    if isinstance(found, list | tuple | set | frozenset):
        return list(found)
    if isinstance(found, np.ndarray):
        return found.ravel().tolist() if found.dtype == object else []
    if type(found).__name__ == "partial":
        return [found.func, *found.args, *found.keywords.values()]
    if (owner := getattr(found, "__self__", None)) is not None and callable(found):
        return [owner]
    return list(getattr(found, "__dict__", {}).values())


def _check_places(found: Any) -> None:
    """Checks that trees occur only where the checks below look for them."""
    own = getattr(found, "__dict__", {})
    for part in _parts(found):
        if (place := PLACES.get(type(part).__name__)) is not None:
            name, owner = place
            bases = {base.__name__ for base in type(found).__mro__}
            _require(own.get(name) is part and owner in bases, f"it contains an unexpected {type(part).__name__}")


def _check_shadows(found: Any, kind: type) -> None:
    """Checks that no attribute shadows a method or constant of the class, which would bypass these checks."""
    for name in getattr(found, "__dict__", {}):
        _require(not hasattr(kind, name), f"its {kind.__name__} overrides {name}")


def _check_one(found: Any, bases: set[str]) -> None:
    _require(not bases.intersection(OUTLIERS), f"it holds a {type(found).__name__}, which is not a classifier")
    if "BaseDecisionTree" in bases and hasattr(found, "tree_"):
        _check_tree(found.tree_, _features(found))
    elif bases & {"BaseForest", "BaseGradientBoosting"} and hasattr(found, "estimators_"):
        _check_trees(found, bases)
    elif "BaseHistGradientBoosting" in bases and hasattr(found, "_predictors"):
        _check_histogram(found)
    elif "NeighborsBase" in bases and hasattr(found, "_fit_X"):
        _check_neighbors(found, bases)
    elif "BaseLibSVM" in bases and hasattr(found, "support_"):
        _check_support(found)
    elif hasattr(found, "cluster_centers_"):
        _check_shape(found.cluster_centers_, (None, _features(found)), "cluster_centers_")


def _features(found: Any) -> int:
    """The number of columns. Without it scikit-learn accepts rows of any width."""
    count = vars(found).get("n_features_in_")
    _require(type(count) is int and count > 0, f"its {type(found).__name__} does not state its number of features")
    return int(count)


def _check_tree(tree: Any, features: int) -> None:
    _require(type(tree).__name__ == "Tree", "one of its trees is not a tree")
    count = tree.node_count
    _require(count == tree.capacity >= 1, "a tree's node count is wrong")
    _require(tree.n_features == features, "a tree has a different number of features than its estimator")
    _require(tree.n_outputs == 1 and tree.max_n_classes >= 1, "a tree has more than one output")
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    leaf = left == -1
    _check_nodes(left, right, feature, leaf, features)
    _require(bool((right[leaf] == -1).all()), "a tree has a leaf with a child")


def _check_nodes(left: Any, right: Any, feature: Any, leaf: Any, features: int) -> None:
    """Checks that children follow their parent in the array, so that every path ends."""
    own, count, inner = np.arange(len(left)), len(left), ~leaf
    for child in (left[inner].astype(np.int64), right[inner].astype(np.int64)):
        _require(bool(((child > own[inner]) & (child < count)).all()), "a tree has a child that is not in it")
    split = feature[inner]
    _require(bool(((split >= 0) & (split < features)).all()), "a tree splits by a feature that does not exist")


def _check_trees(ensemble: Any, bases: set[str]) -> None:
    """Checks the trees of an ensemble, which validates the rows once and passes them to the trees unchecked."""
    features, trees = _features(ensemble), ensemble.estimators_
    members = trees.ravel().tolist() if isinstance(trees, np.ndarray) else list(trees)
    _require(bool(members), "an ensemble has no trees")
    for tree in members:
        names = {base.__name__ for base in type(tree).__mro__}
        _require("BaseDecisionTree" in names and hasattr(tree, "tree_"), "an ensemble of trees contains something else")
        _check_tree(tree.tree_, features)
    if "BaseGradientBoosting" in bases:
        columns = ensemble.n_trees_per_iteration_
        _require(isinstance(trees, np.ndarray) and trees.ndim == 2, "its trees are not in a two-dimensional array")
        _require(type(columns) is int and trees.shape[1] == columns, "its number of trees is wrong")
        first = ensemble.init_
        plain = (isinstance(first, str) and first == "zero") or type(first).__name__ == "DummyClassifier"
        _require(plain, "it starts from a custom estimator")
        begun = ensemble._raw_predict_init(np.zeros((2, features), dtype=np.float32))
        _require(begun.shape == (2, columns), "its initial estimator has a different number of classes")


def _check_histogram(found: Any) -> None:
    features = _features(found)
    _require(vars(found).get("_n_features") == features, "its number of features is wrong")
    categorical = found._bin_mapper.is_categorical_
    _check_shape(categorical, (features,), "is_categorical_")
    for row in found._predictors:
        for predictor in row:
            nodes, sets = predictor.nodes, predictor.raw_left_cat_bitsets
            _require(isinstance(nodes, np.ndarray) and nodes.ndim == 1 and len(nodes) > 0, "a tree has no nodes")
            _check_shape(sets, (None, 8), "raw_left_cat_bitsets")
            leaf = nodes["is_leaf"] != 0
            _check_nodes(nodes["left"], nodes["right"], nodes["feature_idx"], leaf, features)
            by_set = nodes[(~leaf) & (nodes["is_categorical"] != 0)]["bitset_idx"]
            _require(bool((by_set < len(sets)).all()), "a tree splits by a category set that does not exist")


def _check_neighbors(found: Any, bases: set[str]) -> None:
    features, points = _features(found), found._fit_X
    _check_shape(points, (None, features), "_fit_X")
    _require(points.dtype in (np.float64, np.float32), "its points are not numbers")
    _require(vars(found).get("n_samples_fit_") == len(points), "its number of points is wrong")
    metrics = (found.metric, found.effective_metric_)
    _require(all(isinstance(metric, str) for metric in metrics), "its metric is not a name")
    neighbors = vars(found).get("n_neighbors")
    _require(neighbors is None or 0 < int(neighbors) <= len(points), "it uses more neighbors than it has points")
    if "ClassifierMixin" in bases:
        _check_shape(found._y, (len(points),), "_y")
        _require(bool(((found._y >= 0) & (found._y < len(found.classes_))).all()), "a point has no class")
    method, tree = found._fit_method, vars(found).get("_tree")
    if method in ("kd_tree", "ball_tree"):
        build = next((kind for kind in _tree_types()[method] if type(tree) is kind), None)
        _require(build is not None, "its tree was not built from its points")
        assert build is not None  # noqa: S101
        metric, parameters = found.effective_metric_, found.effective_metric_params_
        own = build(points, found.leaf_size, metric=metric, **parameters)
        _require(_same(own, tree), "its tree was not built from its points")
        found._tree = own
    else:
        _require(method == "brute" and tree is None, "it has a tree that it does not use")


def _same(own: Any, given: Any) -> bool:
    """True if two neighbor trees have the same indices."""
    (_, indices, nodes, *_), (_, given_indices, given_nodes, *_) = own.__getstate__(), given.__getstate__()
    names = ("idx_start", "idx_end", "is_leaf")
    return np.array_equal(indices, given_indices) and all(
        np.array_equal(np.asarray(nodes)[name], np.asarray(given_nodes)[name]) for name in names
    )


def _tree_types() -> dict[str, tuple[Any, ...]]:
    """scikit-learn keeps points in single precision in a tree of either."""
    from sklearn.neighbors._ball_tree import BallTree, BallTree32
    from sklearn.neighbors._kd_tree import KDTree, KDTree32

    return {
        "kd_tree": (KDTree, KDTree32),
        "ball_tree": (BallTree, BallTree32),
    }


def _check_support(found: Any) -> None:
    """Checks a support vector machine: libsvm gets raw pointers to these arrays."""
    features, classes = _features(found), len(found.classes_)
    pairs = classes * (classes - 1) // 2
    vectors = len(found.support_)
    _require(vars(found).get("_sparse") is False and found.kernel != "precomputed", "its vectors are not a dense array")
    _require(isinstance(found.kernel, str) and classes >= 2, "its kernel is not a name, or it has no classes")
    _check_shape(found.support_, (vectors,), "support_")
    _check_shape(found.support_vectors_, (vectors, features), "support_vectors_")
    _check_shape(found._n_support, (classes,), "_n_support")
    _check_shape(found._dual_coef_, (classes - 1, vectors), "_dual_coef_")
    _check_shape(found._intercept_, (pairs,), "_intercept_")
    counts = found._n_support
    _require(bool((counts >= 0).all()) and int(counts.sum()) == vectors, "its vectors do not match their counts")
    for name in ("_probA", "_probB"):
        _require(np.shape(getattr(found, name)) in ((0,), (pairs,)), f"{name} has the wrong shape")


def _check_random(found: np.random.RandomState | np.random.Generator) -> None:
    generator = getattr(found, "bit_generator", None) or found._bit_generator  # type: ignore[union-attr]
    state = generator.state
    kind = state["bit_generator"]
    _require(kind in ("MT19937", "PCG64", "PCG64DXSM"), f"it holds a {kind}, which training does not produce")
    if kind == "MT19937":
        _require(0 <= state["state"]["pos"] <= 624, "the position of its random generator is out of range")


def _check_sparse(found: Any) -> None:
    _require(
        type(found).__name__ in ("csr_matrix", "csc_matrix", "csr_array", "csc_array"), "it contains a sparse matrix"
    )
    try:
        found.check_format(full_check=True)
    except Exception:  # noqa: BLE001 - scipy raises several kinds
        raise BadState("a sparse matrix has indices out of range") from None


def _check_shape(array: Any, shape: tuple[int | None, ...], name: str) -> None:
    fits = isinstance(array, np.ndarray) and array.dtype != object and array.ndim == len(shape)
    fits = fits and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    _require(fits, f"{name} has the wrong shape")


def _require(condition: bool, why: str) -> None:
    if not condition:
        raise BadState(why)
