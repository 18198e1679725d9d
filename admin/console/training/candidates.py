"""The classifiers that a run can compare, as the form offers them."""

from __future__ import annotations

from collections.abc import Sequence

from zelador.classifiers import NAMES

NOT_OFFERED = ("rbfsvm", "gpc", "mlp", "dummy")  # too slow for many readings; the baseline is always compared
CANDIDATES = {id_: name for id_, name in NAMES.items() if id_ not in NOT_OFFERED}
SLOW = ("xgboost", "catboost")  # compared only if they are chosen, and installed


def all_but(left_out: str, chosen: Sequence[str]) -> list[str]:
    """Returns the chosen candidates without one of them; without any other, the fast ones."""
    fast = [name for name in CANDIDATES if name not in SLOW]
    return [name for name in chosen if name != left_out] or [name for name in fast if name != left_out]
