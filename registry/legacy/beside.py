"""Finds the scalers, encoders and lists of names that belong to each model in a folder, by folder and by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Words in file names that tell the kind of a file, not the model that it belongs to.
KINDS = frozenset((
    "model", "models", "clf", "classifier", "estimator", "final", "finalized", "best", "trained", "fitted", "pipeline",
    "v", "scaler", "scalers", "scaling", "standard", "minmax", "robust", "std", "ss", "sc", "mms", "normalizer", "norm",
    "encoder", "encoders", "le", "ohe", "label", "labels", "target", "feature", "features", "columns", "cols", "column",
    "name", "names", "class", "classes", "list", "imputer", "preprocessor", "preprocessing", "preprocess", "prep",
    "transformer", "transform", "pca", "selector", "threshold", "of", "the", "and", "for", "my",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """The files that may belong to a model. `shared`: other models of the folder may need them instead."""

    files: tuple[Path, ...]
    shared: bool


def beside(root: Path, models: Sequence[Path], others: Sequence[Path]) -> dict[Path, Group]:
    """The group of each model that has one: files of its folder, or of all folders if there is a single model."""
    groups: dict[Path, Group] = {}
    for model in models:
        near = [file for file in others if file.parent == model.parent or len(models) == 1]
        rivals = [each for each in models if each.parent == model.parent and each != model]
        mine = [file for file in near if not any(_belongs(file, rival) for rival in rivals) or _belongs(file, model)]
        own = [file for file in mine if _belongs(file, model)]
        if mine:
            groups[model] = Group(tuple(mine), bool(rivals) and len(own) != len(mine))
    return groups


def _belongs(file: Path, model: Path) -> bool:
    """True if a file is named after a model: rf_scaler.pkl and rf_model.pkl."""
    words = _words(file)
    return bool(words) and words == _words(model)


def _words(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+|\d+", file.stem.lower())) - KINDS
