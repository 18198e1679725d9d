"""The lineup: the models that see each batch. Pure.

The loop takes one lineup per batch, so that all readings of a batch are seen by the same models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.model import Model


@dataclass(frozen=True, slots=True)
class Live:
    """The model that classifies now, and the sequence number of the selection that chose it.

    `training` is the model's metadata, which describes its training.
    """

    model: Model
    sequence: int
    training: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lineup:
    """`live` is the selected model, whose predictions are published; None: no model is selected and readings wait."""

    live: Live | None = None
