"""The allow-list of types in an artifact: parse, audit, and only then construct. An artifact cannot extend it."""

from __future__ import annotations

import warnings
from typing import Any

from registry.errors import ModelRefused, TypeRefused
from registry.model.skops_file import unpacked_size

# Their state is text or bytes for a C++ parser that is not hardened: accepted only from trusted sources.
NATIVE = ("lightgbm.", "xgboost.", "catboost.")

# In addition to the types that skops trusts (public estimators of scikit-learn, arrays, plain values).
ALLOWED = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "numpy.dtype",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.MinkowskiDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)


def dump_pipeline(estimator: Any) -> bytes:
    """The estimator as skops bytes. Raises TypeRefused, naming the type, if it could not be loaded again."""
    import skops.io

    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    if not callable(getattr(estimator, "predict", None)):
        raise TypeRefused(f"{kind} cannot be saved: it is not a scikit-learn classifier (it has no predict)")
    try:
        data: bytes = skops.io.dumps(estimator)
    except Exception as error:  # noqa: BLE001 - skops raises many kinds; each means that the type cannot be kept
        raise TypeRefused(f"{kind} cannot be saved: {error}") from None
    if foreign := foreign_types(data):
        raise TypeRefused(
            f"{kind} cannot be saved: it holds {', '.join(foreign)}, which is not on the allow-list "
            "(scikit-learn's and LightGBM's own types are); train it again with `zelador train`"
        )
    return data


def load_pipeline(name: str, data: bytes) -> Any:
    """The estimator in `data`, after its sizes, types and state were checked. Raises ModelRefused."""
    import skops.io

    from registry.model.state_check import BadState, check_state

    try:
        unpacked_size(data)
        foreign = foreign_types(data)
        if foreign:
            raise ModelRefused(f"{name}: model.skops holds {', '.join(foreign)}, which is not on the allow-list")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # if a different version matters, the golden rows show it
            estimator = skops.io.loads(data, trusted=sorted(ALLOWED))
            check_state(estimator)
            return estimator
    except ModelRefused as error:
        reason = str(error)
        raise ModelRefused(reason if reason.startswith(name) else f"{name}: {reason}") from None
    except BadState as error:
        raise ModelRefused(f"{name}: model.skops contains something that training does not produce: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes skops raise
        raise ModelRefused(f"{name}: model.skops cannot be loaded ({type(error).__name__}: {error})") from None


def native_types(data: bytes) -> list[str]:
    """Types in a skops file that a C++ library loads from its own bytes. Constructs nothing."""
    import skops.io

    unpacked_size(data)
    return [name for name in skops.io.get_untrusted_types(data=data) if name.startswith(NATIVE)]


def foreign_types(data: bytes) -> list[str]:
    """Types in a skops file that neither skops nor this allow-list permits. Constructs nothing."""
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(data=data)) - ALLOWED)
