"""Decides whether the best model of a run replaces the selected one. Pure.

It does only if it is better on rows that neither has seen: on the same hold-out, the interval of the paired difference
is above the margin. In every other case the decision says why not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from registry.run_document import HoldoutFacts, Promotion, RunDocument, TrainedModel

MAX_USES = 20  # of one hold-out; after that, a model may win by chance
SHARED = 0.5  # share of a period: hold-outs that share this much count as the same one


def decide(document: RunDocument, margin: float, selected: str | None, uses: int) -> Promotion:
    """Decides on a finished run. `selected` is the live model; `uses` counts earlier decisions by this hold-out."""
    metric = document.get("metric", "F1")
    found = Promotion(
        promoted=False, reason="no_model", sentence="", model=None, against=selected, metric=metric, margin=margin,
        difference=None, interval=None, holdout_uses=uses,
    )  # fmt: skip
    models = document.get("models") or []
    if not models:
        return _not_promoted(found, "no_model", "the run has no model")
    best = models[0]
    found["model"] = best["name"]
    verdict = document.get("verdict")
    if verdict is None or verdict["kind"] not in ("clear", "tied") or best.get("not_recommended"):
        verdict_text = f": {verdict['sentence']}" if verdict is not None else ""
        return _not_promoted(found, "not_recommended", f"the run recommends no model{verdict_text}")
    if best["name"] is None:
        return _not_promoted(found, "not_registered", f"its best model ({best['model_type']}) was not registered")
    if selected is None:
        return _not_promoted(
            found, "nothing_selected", f"no model is selected that {best['name']} could be compared with"
        )
    if best["name"] == selected:
        return _not_promoted(found, "same_model", f"{selected} is selected already")
    reference = document.get("reference")
    if reference is None or reference["name"] != selected:
        return _not_promoted(found, "not_compared", f"{selected} was selected during the run, so it was not compared")
    if not document.get("holdout_rows"):
        return _not_promoted(
            found, "no_holdout", "no rows were held out, and the selected model may have seen the others"
        )
    return _decide_by_difference(found, best, reference["note"], metric, margin)


def _decide_by_difference(
    found: Promotion, best: TrainedModel, note: str | None, metric: str, margin: float
) -> Promotion:
    difference = _number((best.get("difference") or {}).get(metric))
    pair = (best.get("difference_intervals") or {}).get(metric)
    low, high = (None, None) if pair is None else (_number(pair[0]), _number(pair[1]))
    found["difference"] = difference
    model, live = best["name"], found["against"]
    if difference is None:
        why = f" ({note})" if note else ""
        return _not_promoted(
            found, "not_compared", f"{metric} of {live} and {model} could not be compared on the hold-out{why}"
        )
    if low is None or high is None:
        return _not_promoted(
            found, "no_interval",
            f"{model} scores {difference:+.3f} in {metric} against {live}, but the hold-out has too few independent "
            "stretches to say how sure that is",
        )  # fmt: skip
    found["interval"] = (low, high)
    result = f"{model} against {live}, on the same hold-out: {metric} {difference:+.3f} ({low:+.3f} to {high:+.3f})"
    if low <= margin:
        return _not_promoted(
            found, "not_better", f"{result}, which is not certain to be above the margin of {margin:g}"
        )
    found["promoted"], found["reason"] = True, "better"
    found["sentence"] = (
        f"Promoted: {result}, which is above the margin of {margin:g}.{_holdout_warning(found['holdout_uses'])}"
    )
    return found


def _not_promoted(found: Promotion, reason: str, why: str) -> Promotion:
    found["reason"] = reason
    found["sentence"] = f"Not promoted: {why.rstrip('.')}.{_holdout_warning(found['holdout_uses'])}"
    return found


def _holdout_warning(uses: int) -> str:
    if uses < MAX_USES:
        return ""
    return (
        f" This hold-out has judged {uses} promotions before: a model that wins on it by chance becomes likely. Label "
        "readings of other days or devices."
    )


def uses_of(holdout: HoldoutFacts, earlier: Iterable[HoldoutFacts]) -> int:
    """Counts the `earlier` decisions that used this hold-out, or one that mostly overlaps it."""
    return sum(_is_same(holdout, other) for other in earlier)


def _is_same(one: HoldoutFacts, other: HoldoutFacts) -> bool:
    if one["sha256"] == other["sha256"]:
        return True
    if one["from"] is None or one["to"] is None or other["from"] is None or other["to"] is None:
        return False
    shared = min(one["to"], other["to"]) - max(one["from"], other["from"])
    longest = max(one["to"] - one["from"], other["to"] - other["from"])
    return shared > 0 and shared >= SHARED * longest


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
