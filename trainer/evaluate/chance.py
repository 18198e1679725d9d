"""Says whether a model does better than guessing."""

from __future__ import annotations

CHANCE = 0.05  # a Matthews correlation up to this is no better than guessing, whatever p is


def guesses(correlation: float | None) -> bool:
    """Returns whether a Matthews correlation says that a model does no better than guessing; False if it is unknown."""
    return correlation is not None and correlation <= CHANCE
