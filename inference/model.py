"""The interface of a model, as inference uses it. `registry.model.classifier.Classifier` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Answer(Protocol):
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def probabilities(self) -> NDArray[np.float64] | None: ...


class Model(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def classify(self, rows: NDArray[np.float64]) -> Answer: ...
