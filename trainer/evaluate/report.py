"""How a candidate answers on the hold-out, as numbers that a page can draw: report/report.json beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.evaluate.score import confusion
from trainer.evaluate.split import Split

FORMAT = 1
FILE = "report.json"
POINTS = 101  # of a curve, at most
BINS = 10  # of the calibration
REPEATS = 5  # each feature is shuffled so often
MOST = 500  # hold-out rows that importance is measured on
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))

Rows = NDArray[np.float64]


def report(pipeline: Any, split: Split, features: Sequence[str], seed: int) -> dict[str, Any]:
    """Curves are by class, each against the rest; of two classes only the positive one (the later) has them.

    A model without probabilities has a confusion and importance, and no curves.
    """
    expected = np.array(split.holdout_labels)
    said = np.asarray(pipeline.predict(split.holdout))
    shares = np.asarray(pipeline.predict_proba(split.holdout)) if hasattr(pipeline, "predict_proba") else None
    drawn = range(1, 2) if len(split.classes) == 2 else range(len(split.classes))
    curves: dict[str, Any] = {"roc": {}, "calibration": {}, "threshold": {}}
    for index in drawn:
        was = expected == split.classes[index]
        if shares is not None and was.any() and not was.all():  # else there is nothing to tell apart
            share = shares[:, index]
            curves["roc"][split.classes[index]] = roc(was, share)
            curves["calibration"][split.classes[index]] = calibration(was, share)
            curves["threshold"][split.classes[index]] = by_threshold(was, share)
    return {
        "format": FORMAT,
        "rows": len(expected),
        "classes": list(split.classes),
        "confusion": confusion(split.holdout_labels, said.tolist(), split.classes),
        **curves,
        "importance": importance(pipeline, split, features, seed),
        "training": ranges(split.train, features),
    }


def roc(was: NDArray[np.bool_], share: Rows) -> dict[str, Any]:
    """Share of false alarms and of what was found, from no alarm at all to nothing but alarms; and the area."""
    from sklearn.metrics import roc_auc_score, roc_curve

    false_alarms, found, _ = roc_curve(was, share)
    kept = np.unique(np.linspace(0, len(found) - 1, min(POINTS, len(found))).round().astype(int))
    area = _round(roc_auc_score(was, share))
    return {"false_alarms": _listed(false_alarms[kept]), "found": _listed(found[kept]), "area": area}


def calibration(was: NDArray[np.bool_], share: Rows) -> dict[str, Any]:
    """In ten bins of equal width that hold rows: what was said on average, how often it was so, of how many.

    `error` is the expected calibration error: the mean distance of the two, weighted by rows.
    """
    bins = np.minimum((share * BINS).astype(int), BINS - 1)
    held = [bins == number for number in range(BINS) if (bins == number).any()]
    said, so = [float(share[rows].mean()) for rows in held], [float(was[rows].mean()) for rows in held]
    counts = [int(rows.sum()) for rows in held]
    error = sum(abs(a - b) * n for a, b, n in zip(said, so, counts, strict=True)) / len(share)
    return {"said": _listed(said), "was": _listed(so), "rows": counts, "error": _round(error)}


def by_threshold(was: NDArray[np.bool_], share: Rows) -> dict[str, Any]:
    """Precision, recall and F1 if an alarm were raised from each threshold on; precision of no alarm is null."""
    table: dict[str, list[float | None]] = {"threshold": list(THRESHOLDS), "precision": [], "recall": [], "f1": []}
    for threshold in THRESHOLDS:
        alarms = share >= threshold
        hits = int((alarms & was).sum())
        table["precision"].append(_round(hits / alarms.sum()) if alarms.any() else None)
        table["recall"].append(_round(hits / was.sum()))
        table["f1"].append(_round(2 * hits / (alarms.sum() + was.sum())))
    return table


def importance(pipeline: Any, split: Split, features: Sequence[str], seed: int) -> dict[str, Any]:
    """How much accuracy and F1 are lost on the hold-out when one feature is shuffled among its rows.

    F1 of the positive class of two, weighted of more; mean and standard deviation of the repeats, most lost first.
    """
    from sklearn.metrics import f1_score

    random = np.random.default_rng(seed)
    total = len(split.holdout_labels)
    chosen = random.permutation(total)[:MOST]
    rows, labels = split.holdout[chosen], np.array(split.holdout_labels)[chosen]
    how: dict[str, Any] = (
        {"average": "binary", "pos_label": split.classes[-1]} if len(split.classes) == 2 else {"average": "weighted"}
    )

    def score(shown: Rows) -> float:
        return float(f1_score(labels, pipeline.predict(shown), zero_division=0.0, **how))

    whole = score(rows)
    found: list[dict[str, Any]] = []
    for column, feature in enumerate(features):
        lost = []
        for _ in range(REPEATS):
            shuffled = rows.copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            lost.append(whole - score(shuffled))
        found.append({"feature": feature, "mean": _round(np.mean(lost)), "spread": _round(np.std(lost))})
    found.sort(key=lambda each: -each["mean"])
    return {"metric": "F1", "rows": len(rows), "repeats": REPEATS, "features": found}


def ranges(train: NDArray[np.floating[Any]], features: Sequence[str]) -> dict[str, Any]:
    """What training saw of each feature: its range, the middle 98 %, the median, and the share that was missing."""
    found: dict[str, Any] = {}
    for feature, column in zip(features, np.asarray(train, dtype=np.float64).T, strict=True):
        present = column[~np.isnan(column)]
        if len(present):
            low, p1, median, p99, high = np.quantile(present, [0.0, 0.01, 0.5, 0.99, 1.0])
            missing = 1 - len(present) / len(column)
            found[feature] = {"minimum": _round(low), "p1": _round(p1), "median": _round(median), "p99": _round(p99),
                              "maximum": _round(high), "missing": _round(missing)}  # fmt: skip
    return found


def _listed(values: Any) -> list[float]:
    return [_round(value) for value in values]


def _round(value: Any) -> float:
    return round(float(value), 6)
