"""The classifiers that a run can compare, as the form offers them."""

from __future__ import annotations

from zelador.classifiers import NAMES

LEFT_OUT = ("rbfsvm", "gpc", "mlp", "dummy")  # take hours on many readings; the baseline is always compared
CANDIDATES = {id_: name for id_, name in NAMES.items() if id_ not in LEFT_OUT}
