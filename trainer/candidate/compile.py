"""Converts a scikit-learn pipeline to ONNX. A pipeline that cannot be converted is served as it is."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV

from trainer.candidate import compile_boosters
from trainer.candidate.agreement import thresholds
from trainer.candidate.calibrated import add_calibration

log = logging.getLogger(__name__)

WITHOUT_RAW_SCORES = ("QuadraticDiscriminantAnalysis",)  # their converters do not know the option
OPSET = {"": 17, "ai.onnx.ml": 3}


def compile_pipeline(pipeline: Any, width: int) -> tuple[bytes | None, str | None]:
    """Returns (ONNX bytes, None), or (None, why it cannot be converted). Never raises."""
    import onnx
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    _register_lightgbm()
    compile_boosters.register()
    last = pipeline.steps[-1][1]
    calibrated = isinstance(last, CalibratedClassifierCV) and last.cv == "prefit"  # ours; others have a converter
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = uncalibrated(pipeline) if calibrated else pipeline
            estimator = plain.steps[-1][1]
            model = convert_sklearn(
                plain,
                initial_types=[("rows", FloatTensorType([None, width]))],
                options={id(estimator): _options(estimator, calibrated)},
                target_opset=OPSET,
            )
            _round_down(model, estimator, width)
            if calibrated:
                (inner,) = pipeline.steps[-1][1].calibrated_classifiers_
                names = [str(name) for name in inner.classes]
                add_calibration(model, estimator, inner.method, inner.calibrators, names)
            onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - converters raise anything; each means "serve the pipeline"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        log.info("%s does not convert: %s", type(pipeline.steps[-1][1]).__name__, reason)
        return None, f"it does not convert: {reason}"
    data: bytes = model.SerializeToString()
    return data, None


def uncalibrated(pipeline: Any) -> Any:
    """Returns the pipeline without the calibration around its last step."""
    from sklearn.pipeline import Pipeline

    *steps, (name, model) = pipeline.steps
    return Pipeline([*steps, (name, model.estimator)])


def _options(estimator: Any, calibrated: bool) -> dict[str, Any]:
    """Returns the converter's options. Without `zipmap`, probabilities are one array, not a dict for each row.

    A calibration takes decision values if the estimator has them.
    """
    decides = hasattr(estimator, "decision_function")
    if not decides and not hasattr(estimator, "predict_proba"):
        return {}
    both = decides and hasattr(estimator, "predict_proba")
    raw = both and not hasattr(estimator, "booster_") and type(estimator).__name__ not in WITHOUT_RAW_SCORES
    return {"zipmap": False, **({"raw_scores": True} if calibrated and raw else {})}


def _round_down(model: Any, estimator: Any, width: int) -> None:
    """Corrects the split values of LightGBM, which the converter rounds from double to the nearest single precision.

    For rows in single precision, `x <= t` is exactly `x <= the largest single-precision value that is not above t`.
    """
    if not hasattr(estimator, "booster_"):
        return
    lowered = [_rounded_down(values) for values in thresholds(estimator, width)]
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleClassifier":
            parts = {attribute.name: attribute for attribute in node.attribute}
            values, features = parts["nodes_values"].floats, parts["nodes_featureids"].ints
            values[:] = [lowered[at].get(value, value) for at, value in zip(features, values, strict=True)]


def _rounded_down(exact: NDArray[np.float64]) -> dict[float, float]:
    """Maps the nearest single-precision value of each split value to the largest one that is not above it."""
    nearest = exact.astype(np.float32)
    below = np.where(nearest > exact, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return dict(zip(nearest.tolist(), below.tolist(), strict=True))


def _register_lightgbm() -> None:
    from lightgbm import LGBMClassifier
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
        overwrite=True,
    )
