"""Says whether a model does better than guessing."""

from __future__ import annotations

CHANCE = 0.05  # a Matthews correlation up to this is no better than guessing, whatever p is


def guesses(correlation: float | None, holdout: float | None = None) -> bool:
    """Returns whether a model does no better than guessing, by its Matthews correlation; False if that is unknown.

    `holdout` is that on the hold-out, which counts instead if it is known.
    """
    found = correlation if holdout is None else holdout
    return found is not None and found <= CHANCE
