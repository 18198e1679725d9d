"""A plain scikit-learn pipeline as ONNX. Never fails a run: what does not convert is served by its pipeline."""

from __future__ import annotations

import logging
import warnings
from typing import Any

log = logging.getLogger(__name__)

OPSET = {"": 17, "ai.onnx.ml": 3}


def compile_pipeline(pipeline: Any, width: int) -> tuple[bytes | None, str | None]:
    """(ONNX bytes, None), or (None, why it does not convert)."""
    import onnx
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    _know_lightgbm()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = convert_sklearn(
                pipeline,
                initial_types=[("rows", FloatTensorType([None, width]))],
                options={id(pipeline.steps[-1][1]): _options(pipeline.steps[-1][1])},
                target_opset=OPSET,
            )
            onnx.checker.check_model(model)
    except Exception as error:  # noqa: BLE001 - converters raise anything; each means "serve the pipeline"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        log.info("%s does not convert: %s", type(pipeline.steps[-1][1]).__name__, reason)
        return None, f"it does not convert: {reason}"
    data: bytes = model.SerializeToString()
    return data, None


def _options(estimator: Any) -> dict[str, Any]:
    """`zipmap` off: probabilities as an array, not a dict a row."""
    return {"zipmap": False} if hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function") else {}


def _know_lightgbm() -> None:
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
