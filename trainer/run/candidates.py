"""Checks the requested candidates before a run starts."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec

from trainer.compare.leaderboard import BASELINE, EVERY
from zelador.classifiers import MODEL_TYPES
from zelador.errors import InvalidInput

PACKAGES = {"xgboost": "xgboost", "catboost": "catboost", "lightgbm": "lightgbm"}  # candidate to package


def check_candidates(candidates: Sequence[str], option: str = "candidates") -> None:
    """Raises InvalidInput if a candidate is unknown, or its package is not installed. The message names `option`."""
    if list(candidates) == [EVERY]:
        return
    for name in candidates:
        if name not in MODEL_TYPES:
            near = get_close_matches(name.lower(), MODEL_TYPES, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise InvalidInput(f"{option}: there is no candidate {name!r}{hint}; choose from {', '.join(MODEL_TYPES)}")
        package = PACKAGES.get(name)
        if package is not None and find_spec(package) is None:
            raise InvalidInput(
                f"{option}: {name} needs a package that is not installed; install it with "
                "pip install 'zelador[boosters]', or leave it out"
            )


def check_excluded(candidates: Sequence[str] | None, exclude: Sequence[str], option: str = "exclude") -> None:
    """Raises InvalidInput for an unknown candidate, and if no candidate would be left. The message names `option`."""
    for name in exclude:
        if name not in MODEL_TYPES:
            check_candidates([name], option)
    asked = [name for name in candidates or () if name not in (BASELINE, EVERY)] or list(MODEL_TYPES)
    if all(name in exclude or name == BASELINE for name in asked):
        raise InvalidInput(f"{option}: no candidate would be left to compare")
