"""Checks the candidates that someone asks for, before any time is spent."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec

from trainer.compare.leaderboard import MODEL_TYPES
from zelador.errors import InvalidInput

PACKAGES = {"xgboost": "xgboost", "catboost": "catboost", "lightgbm": "lightgbm"}  # by candidate


def check_candidates(candidates: Sequence[str], option: str = "candidates") -> None:
    """Raises InvalidInput for a candidate that is unknown, or whose package is not installed. Names `option`."""
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
