"""The classifier that worker, API and trainer share: takes rows, returns labels and probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.errors import ModelRefused
from registry.model.manifest import ServedBy
from registry.model.onnx.audit import audit

Rows = NDArray[np.float64]
ROUNDING = 1e-5  # share of a threshold: more than single precision rounds a probability by
SLACK = 1e-3  # how far outside 0 to 1 a probability may be: more than single precision rounds it by
NO_PROBABILITIES = (
    "gives probabilities that are not numbers from 0 to 1: a value is probably too large for it to compute with; "
    "minimum and maximum of the feature refuse such values (ZELADOR_FIELDS)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """`labels`: one text for each row. `probabilities`: (rows, classes) in the order of the classes, or None."""

    labels: list[str]
    probabilities: Rows | None


def without_probabilities(probabilities: Rows) -> list[int]:
    """The rows whose probabilities are not all numbers from 0 to 1. Nearly always none.

    A compiled model computes in single precision: from a huge value it gets an infinity, and then no number.
    """
    if probabilities.min() >= -SLACK and probabilities.max() <= 1.0 + SLACK:  # false if one is NaN
        return []
    are_valid = (probabilities >= -SLACK) & (probabilities <= 1.0 + SLACK)
    found: list[int] = np.flatnonzero(~are_valid.all(axis=1)).tolist()
    return found


class Engine(Protocol):
    """Runs a model: returns a class index for each row, and probabilities if the model has them."""

    def run(self, rows: Rows) -> tuple[Sequence[int], Rows | None]: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """A threshold: a row whose probability of the positive class is at least this is classified as positive.

    Half of a forest's trees give exactly 0.5, which single precision may round to less. So slightly less is enough.
    """

    positive: int  # place of the class
    value: float

    def indices(self, probabilities: Rows) -> list[int]:
        least = self.value * (1 - ROUNDING)
        found: list[int] = np.where(probabilities[:, self.positive] >= least, self.positive, 1 - self.positive).tolist()
        return found


class Classifier:
    """A loaded model, made by `Registry.load`. Not thread-safe with `pipeline`."""

    def __init__(
        self,
        name: str,
        digest: str,
        features: tuple[str, ...],
        classes: tuple[str, ...],
        served_by: ServedBy,
        engine: Engine,
    ) -> None:
        self.name = name
        self.digest = digest
        self.features = features
        self.classes = classes
        self.served_by: ServedBy = served_by
        self._engine = engine

    def classify(self, rows: Rows) -> Answer:
        """Classifies an array (n, features), in the order of `features`. Exceptions of the model pass through."""
        indices, probabilities = self.run(rows)
        classes = self.classes
        return Answer([classes[index] for index in indices], probabilities)

    def run(self, rows: Rows) -> tuple[Sequence[int], Rows | None]:
        """Classifies like `classify`, but returns class indices instead of labels."""
        return self._engine.run(rows)


class OnnxEngine:
    """ONNX Runtime with one thread and no spinning: the broker and Redis need the other cores."""

    def __init__(
        self,
        name: str,
        data: bytes,
        classes: tuple[str, ...],
        has_probabilities: bool,
        threshold: Applied | None = None,
    ) -> None:
        """Loads the model. Raises ModelRefused."""
        import onnxruntime

        if why := audit(data):
            raise ModelRefused(f"{name}: model.onnx is refused: {why}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - onnxruntime's own classes, all of them "cannot be loaded"
            raise ModelRefused(f"{name}: model.onnx cannot be loaded ({error})") from None
        self._input = self._session.get_inputs()[0].name
        outputs = [output.name for output in self._session.get_outputs()]
        # Ridge's "probabilities" are raw scores, so the manifest and not the graph says whether there are any.
        self._outputs = outputs[:2] if has_probabilities else outputs[:1]
        self._known = _Known(classes)
        self._threshold = threshold
        if threshold is not None:
            self._outputs = outputs[1:2]  # the labels follow from the probabilities

    def run(self, rows: Rows) -> tuple[Sequence[int], Rows | None]:
        found = self._session.run(self._outputs, {self._input: rows.astype(np.float32)})
        if self._threshold is not None:
            shares = np.asarray(found[0], dtype=np.float64)
            return self._threshold.indices(shares), shares
        labels = [self._known[label] for label in found[0].ravel().tolist()]
        if len(found) == 1:
            return labels, None
        return labels, np.asarray(found[1], dtype=np.float64)


class PipelineEngine:
    """A plain scikit-learn estimator."""

    def __init__(self, estimator: Any, classes: tuple[str, ...], threshold: Applied | None = None) -> None:
        self._estimator = estimator
        self._threshold = threshold
        self._names = getattr(estimator, "feature_names_in_", None)
        self._has_probabilities = hasattr(estimator, "predict_proba")
        own = classes_of(estimator)
        # A model that was fitted on codes answers with them; its classes have the names of the codes, in its order.
        known = own if len(own) == len(classes) and set(own) != set(classes) else classes
        self._index = {label: index for index, label in enumerate(known)}

    def run(self, rows: Rows) -> tuple[Sequence[int], Rows | None]:
        with warnings.catch_warnings():
            if self._names is not None:
                warnings.simplefilter("ignore", UserWarning)  # values are in the order of the feature names
            if self._threshold is not None:
                shares = np.asarray(self._estimator.predict_proba(rows), dtype=np.float64)
                return self._threshold.indices(shares), shares
            labels = [self._index[text_of(label)] for label in _flat(self._estimator.predict(rows))]
            if not self._has_probabilities:
                return labels, None
            return labels, np.asarray(self._estimator.predict_proba(rows), dtype=np.float64)


def _flat(labels: Any) -> list[object]:
    """One label for each row; some libraries give a column of them."""
    found = np.asarray(labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found.ravel()
    if found.ndim != 1:
        raise ValueError(f"it gives {found.shape[1:]} labels for each row, and one is needed")
    return list(found.tolist())


class _Known(dict[object, int]):
    """Maps a label from the model to its class index; converts each distinct label to text only once."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__({label: index for index, label in enumerate(classes)})
        self._index = dict(self.items())
        for label, code in (("false", "0"), ("true", "1")):  # a model may be registered with booleans as classes
            if label in self._index:
                self._index.setdefault(code, self._index[label])

    def __missing__(self, label: object) -> int:
        self[label] = found = self._index[text_of(label)]
        return found


def text_of(label: object) -> str:
    """A label as text: 1, 1.0 and True are "1", as in messages and tables."""
    if isinstance(label, str):
        return label
    if isinstance(label, bytes):
        return label.decode(errors="replace")
    if isinstance(label, bool | np.bool_):
        return "1" if label else "0"
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label)


def classes_of(estimator: Any) -> tuple[str, ...]:
    """The estimator's classes as text, in its order; empty if it has none (it is not a fitted classifier)."""
    return tuple(text_of(label) for label in np.asarray(getattr(estimator, "classes_", ())).tolist())
