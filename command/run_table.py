"""Shows a finished training run on the terminal: the verdict, the models, then what the split left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from command.output import output
from zelador.model_metrics import OF_THE_POSITIVE
from zelador.printable import clean, counted

if TYPE_CHECKING:
    from registry.run_document import RunDocument


def show(document: RunDocument) -> None:
    console = output()
    metric = document["metric"]
    console.print(Text(clean(document["verdict"]["sentence"])), style="bold", soft_wrap=True)
    console.print(Text(clean(_tested_sentence(document))), soft_wrap=True)
    table = Table(
        title=f"Run {document['run']}: {document['rows']} rows, by {_metric_name(metric, document)}", box=None
    )
    table.add_column("rank", justify="right")
    table.add_column("model", no_wrap=True)
    for part in ("folds", "95 % interval", "hold-out", "shuffled"):
        table.add_column(part, justify="right")
    table.add_column("µs a row", justify="right")
    table.add_column("served by")
    for model in document["models"]:
        scores = [model["metrics"].get(metric), model["holdout"].get(metric), model.get("shuffled", {}).get(metric)]
        folds, holdout, shuffled = ["–" if score is None else f"{score:.3f}" for score in scores]
        sure = _interval(model.get("intervals", {}).get(metric))
        took = model.get("us_per_row")
        speed = "–" if took is None else f"{took:.1f}"
        table.add_row(
            str(model["rank"]), model["name"] or model["model_type"], folds, sure, holdout, shuffled, speed,
            model["served_by"],
        )  # fmt: skip
    if (live := document.get("reference")) is not None:
        score = live["holdout"].get(metric)
        table.add_row("live", live["name"], "", "", "–" if score is None else f"{score:.3f}", "", "", "")
    console.print(table)
    if document["verdict"]["kind"] in ("clear", "tied") and len(document["models"]) > 1:
        console.print(f"The recommended model is first; the others follow by {metric} on the folds.")
    if live is not None and live["note"]:
        console.print(Text(clean(f"The live model: {live['note']}.")), soft_wrap=True)
    failed = [row for row in document["leaderboard"] if row["place"] is None]
    for row in failed:
        console.print(Text(clean(f"{row['model_type']}{_how(row['trouble'])}: {row['trouble']}")), soft_wrap=True)
    for note in document["split"]["notes"]:
        console.print(Text(clean(f"- {note}")), soft_wrap=True)
    if (promotion := document.get("promotion")) is not None:
        console.print(Text(clean(promotion["sentence"])), soft_wrap=True)
    if document["verdict"]["kind"] in ("clear", "tied"):
        console.print("\nTo use a model: zelador models select NAME")


def _tested_sentence(document: RunDocument) -> str:
    split = document["split"]
    folds = {"device": "whole devices", "block": "blocks of time", "row": "rows drawn at random"}[split["folds_by"]]
    stretches = "" if split["blocks"] is None else f", {split['blocks']} independent stretches"
    questions = {"new_device": "new devices", "later": "later time"}
    held = " and ".join(questions[name] for name in split["questions"]) or "drawn at random"
    holdout = (
        f"{counted(split['holdout_rows'], 'row')} held out ({held})"
        if split["holdout_rows"]
        else "no separate hold-out"
    )
    return f"Tested in {split['folds']} folds by {folds}{stretches}; {holdout}."


def _metric_name(metric: str, document: RunDocument) -> str:
    """Returns the metric's name, with the positive class if the metric is of one class."""
    positive = document.get("positive")
    return f"{metric} of {positive!r}" if positive is not None and metric in OF_THE_POSITIVE else metric


def _interval(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.3f} – {interval[1]:.3f}"


def _how(trouble: str | None) -> str:
    """Returns " failed", unless the candidate was left out or ended by somebody's wish."""
    return "" if (trouble or "").startswith("it was not ") else " failed"
