"""Makes the page of a card: its sections and their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from registry.card import plots
from registry.card.blocks import Block, Confusion, Facts, Page, Points, Section, Table
from registry.card.card import Card
from registry.card.evaluations import best_known, evaluations
from registry.card.groups import groups
from registry.card.limits import limits
from registry.card.numbers import count, counted, digest, interval, number, quoted, score, share, size, span, utc_minute
from registry.card.usage import usage
from registry.metadata import listed, mapping
from zelador.model_metrics import in_order

FOOT = "Made by Zelador from the model's manifest and the registry's log."


def page_of(card: Card) -> Page:
    selected = bool(card.facts.get("selected"))
    sections = [
        *_metrics(card),
        *evaluations(card),
        _facts(card),
        _features(card),
        _limits(card),
        *_answers(card),
        _usage(card),
    ]
    sections += _made(card)
    lede = card.facts.get("description")
    return Page(
        card.name, tuple(_lines(card)), _verdict(card), str(lede) if lede else "", tuple(sections), FOOT, selected
    )


def _lines(card: Card) -> Iterator[str]:
    facts = card.facts
    yield "selected" if facts.get("selected") else "registered"
    if facts.get("model_type"):
        yield str(facts["model_type"])
    if facts.get("rank") and facts.get("run"):
        yield f"rank {facts['rank']} of run {facts['run']}, by {facts.get('metric') or 'an unknown metric'}"
    yield from (f"#{tag}" for tag in listed(facts.get("tags")))


def _verdict(card: Card) -> str:
    """The model's accuracy, with its confidence interval, in one sentence."""
    if card.confusion:
        labels, counts = card.confusion
        correct, total = sum(counts[i][i] for i in range(len(labels))), sum(map(sum, counts))
        if total:
            where = "readings of other folds" if card.facts.get("holdout_rows") == 0 else "hold-out readings"
            right = f"It predicted {share(correct, total)} of {count(total)} {where} correctly"
            return f"{right} ({_sure(card, correct, total)})."
    metric = str(card.facts.get("metric") or "")
    if (found := number(mapping(card.facts.get("metrics")).get(metric))) is not None:
        return f"{metric} {found:.4f} in cross-validation; it has no hold-out metrics."
    return best_known(card) or "Its performance is not known: it has no metrics."


def _sure(card: Card, correct: int, total: int) -> str:
    """The interval by independent stretches if the trainer computed one, else by single readings."""
    if not isinstance(card.facts.get("holdout_intervals"), Mapping):
        low, high = interval(correct, total)
        return f"95 % interval {100 * low:.1f} – {100 * high:.1f} %"
    ends = [number(end) for end in listed(mapping(card.facts["holdout_intervals"]).get("Accuracy"))]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return "too few independent stretches for an interval"
    return f"95 % interval {100 * ends[0]:.1f} – {100 * ends[1]:.1f} %"


def _metrics(card: Card) -> Iterator[Section]:
    parts = {part: mapping(card.facts.get(part)) for part in ("metrics", "holdout", "folds")}
    known = {metric for part in parts.values() for metric in part}
    if not known:
        return
    ranked = card.facts.get("metric")
    rows, pictures = [], []
    for metric in in_order(known):
        folds = _listed(parts["folds"].get(metric))
        mean, holdout = parts["metrics"].get(metric), parts["holdout"].get(metric)
        spread = f"{min(folds):.4f} – {max(folds):.4f}" if folds else "–"
        name = f"{metric} (ranked by)" if metric == ranked else metric
        sure, sure_folds = (_span_of(card, part, metric) for part in ("holdout_intervals", "intervals"))
        rows.append((name, score(holdout), sure, "", score(mean), sure_folds, spread))
        pictures.append(plots.whisker(folds, number(holdout)))
    notes = []
    if number(card.facts.get("holdout_rows")) is not None:
        notes.append(f"hold-out: {count(card.facts['holdout_rows'])} readings not used in training")
    if fold_count := max((len(_listed(folds)) for folds in parts["folds"].values()), default=0):
        notes.append(f"cross-validation: {fold_count} folds, scored together")
    if card.facts.get("positive"):
        notes.append(f"recall, precision and F1 of {quoted(card.facts['positive'])}")
    head = ("Metric", "Hold-out", "95 % interval", "0 to 1", "Folds", "95 % interval", "Lowest – highest fold")
    table = Table(head, tuple(rows), frozenset({1, 2, 4, 5, 6}), (3, pictures) if any(pictures) else None)
    if not any(pictures):
        table = Table(head[:3] + head[4:], tuple(row[:3] + row[4:] for row in rows), frozenset({1, 2, 3, 4, 5}))
    yield Section("Metrics", (table,), "; ".join(notes), 8)


def _span_of(card: Card, part: str, metric: str) -> str:
    """The interval of a metric by independent stretches; a dash if there is none."""
    ends = [number(end) for end in listed(mapping(card.facts.get(part)).get(metric))]
    return "–" if len(ends) != 2 or ends[0] is None or ends[1] is None else f"{ends[0]:.3f} – {ends[1]:.3f}"


def _facts(card: Card) -> Section:
    facts, data = card.facts, card.data
    pairs: list[tuple[str, str]] = []
    if data:
        period = f", {str(data['from'])[:10]} to {str(data['to'])[:10]}" if data.get("from") and data.get("to") else ""
        fitted = f"{count(facts['train_rows'])} of " if number(facts.get("train_rows")) else ""  # without the hold-out
        pairs.append(
            ("Trained on", f"{fitted}{count(data.get('rows'))} readings of {data.get('source') or 'unknown'}{period}")
        )
        classes = counted(mapping(data.get("classes")))
        total = sum(classes.values())
        if classes:
            pairs.append(("Classes", ", ".join(f"{label} {share(n, total)}" for label, n in classes.items())))
        if known := data.get("digest") or data.get("sha256"):  # as the run names its data
            pairs.append(("Data digest", digest(known)))
    else:
        pairs += [("Trained on", "unknown"), ("Classes", ", ".join(card.classes) or "none")]
    if damaged := listed(facts.get("damaged")):
        pairs.append(("Damaged", f"{', '.join(map(str, damaged))}: in the log, but cannot be shown"))
    pairs.append(("Model digest", digest(facts.get("digest"))))
    if card.sizes:
        pairs.append(("Size", f"{size(sum(card.sizes.values()))} in {len(card.sizes)} files"))
    pairs.append(("Served by", _served(card)))
    pairs.append(("Saved", f"{utc_minute(facts.get('saved_at'))} by {facts.get('saved_by') or 'unknown'}"))
    imported = mapping(facts.get("imported"))
    if imported.get("file"):
        pairs.append(("Imported from", f"{imported['file']}, saved {utc_minute(imported.get('saved_at'))[:10]}"))
    versions = mapping(facts.get("versions"))
    if versions:
        shown = [f"{name} {versions[name]}" for name in ("pycaret", "scikit-learn", "onnxruntime") if name in versions]
        pairs.append(("Made with", ", ".join(shown or [f"{name} {v}" for name, v in list(versions.items())[:3]])))
    return Section("Facts", (Facts(tuple(pairs)),), span=4)


def _served(card: Card) -> str:
    if card.facts.get("served_by") != "onnx":
        return "the scikit-learn pipeline"
    rows = mapping(card.facts.get("agreement")).get("rows")
    return "ONNX" + (f", which agrees with the pipeline on {count(rows)} rows" if number(rows) is not None else "")


def _features(card: Card) -> Section:
    training = mapping(card.report.get("training"))
    rows = []
    for feature in card.features:
        stats = mapping(training.get(feature.name))
        missing = number(stats.get("missing"))
        rows.append(
            (feature.name, feature.unit or "–", span(feature.minimum, feature.maximum),
             span(stats.get("p1"), stats.get("p99")), "unknown" if missing is None else f"{100 * missing:.1f} %")
        )  # fmt: skip
    head = ("Feature", "Unit", "Training range", "Middle 98 %", "Missing")
    return Section("Features", (Table(head, tuple(rows), frozenset({2, 3, 4})),), "in the model's order", 8)


def _limits(card: Card) -> Section:
    return Section("Limits", (Points(tuple(limits(card))),), span=4)


def _answers(card: Card) -> Iterator[Section]:
    """The plots of the hold-out. A model that was not made by the trainer may have none."""
    blocks: list[Block] = []
    if card.confusion:
        labels, counts = card.confusion
        blocks.append(Confusion(labels, tuple(tuple(row) for row in counts)))
    blocks += plots.all_of(card.report)
    blocks += groups(card.report)
    if blocks:
        yield Section("Predictions on the hold-out", tuple(blocks))


def _usage(card: Card) -> Section:
    return Section("How to use it", tuple(usage(card)))


def _made(card: Card) -> Iterator[Section]:
    parameters, versions = mapping(card.facts.get("parameters")), mapping(card.facts.get("versions"))
    if parameters:
        yield Section("Parameters", (_pairs(parameters),), span=8)
    if versions:
        yield Section("Versions", (_pairs(versions),), span=4)


def _pairs(found: Mapping[str, Any]) -> Facts:
    return Facts(tuple((str(key), "none" if value is None else str(value)) for key, value in found.items()))


def _listed(values: object) -> Sequence[float]:
    """A metric's score in each fold; empty if it is not known."""
    if not isinstance(values, list):
        return ()
    return [found for value in values if (found := number(value)) is not None]
