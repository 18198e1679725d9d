"""The options of `zelador train`, in groups: the rows, the candidates, the evaluation, the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zelador.model_metrics import METRICS

# ── the rows ─────────────────────────────────────────────────────────────────────────────────

Csv = Annotated[
    Path | None,
    typer.Option(
        help="A table of labeled rows, or a folder of tables: CSV in any dialect, JSON lines, Parquet or Arrow, also "
        "compressed. Default: the labeled readings in the archive and the buffer."
    ),
]
Label = Annotated[str, typer.Option(help="With --csv: the column with the label.")]
Features = Annotated[
    str | None,
    typer.Option(
        help="The feature columns, separated by commas. Default: ZELADOR_FEATURES; if it is not set and the table "
        "lacks one of its defaults, all columns of numbers."
    ),
]
Classes = Annotated[
    str | None, typer.Option(help="Only rows with these labels, separated by commas. Default: all with enough rows.")
]
Devices = Annotated[
    str | None,
    typer.Option(help="Only rows of these devices, separated by commas; also patterns (press-*). Default: all."),
]
Repeat = Annotated[
    str | None, typer.Option(help="Train on the readings and labels of this earlier run again, as they were then.")
]

# ── the candidates ───────────────────────────────────────────────────────────────────────────

Candidates = Annotated[
    str | None,
    typer.Option(
        help="The classifiers to compare: PyCaret ids, separated by commas, or all for every one, including the slow "
        "xgboost and catboost. Default: PyCaret's turbo mode."
    ),
]
Include = Annotated[str | None, typer.Option(help="The same as --candidates, as PyCaret calls it.")]
Exclude = Annotated[str | None, typer.Option(help="Classifiers to leave out: PyCaret ids, separated by commas.")]
Tune = Annotated[
    float | None, typer.Option(help="Try settings of the best three for this many seconds, on the same folds.")
]
Blend = Annotated[bool, typer.Option("--blend", help="Also try the mean of the probabilities of the best three.")]
Stack = Annotated[bool, typer.Option("--stack", help="Also try a model of the probabilities of the best three.")]
Balance = Annotated[bool, typer.Option("--balance", help="Repeat rows of rare classes in the rows that models learn.")]
Budget = Annotated[
    float | None,
    typer.Option(help="Stop comparing after this many seconds, and continue with the classifiers compared by then."),
]
Gpu = Annotated[bool, typer.Option("--gpu", help="Let PyCaret use a GPU for classifiers that can.")]

# ── the evaluation ───────────────────────────────────────────────────────────────────────────

RankedBy = Annotated[
    str | None,
    typer.Option(help=f"The metric that ranks models: {', '.join(METRICS[:-1])} or {METRICS[-1]}."),
]
Split = Annotated[
    str | None, typer.Option(help="How rows are split to test models: auto, device, time or random. Default: auto.")
]
Positive = Annotated[
    str | None, typer.Option(help="Of two classes, the one to find, such as the fault. Default: the rarer one.")
]
CostMissed = Annotated[float | None, typer.Option(help="Cost of a missed reading of the positive class. Default: 1.")]
CostFalseAlarm = Annotated[float | None, typer.Option(help="Cost of a false alarm, in the same unit. Default: 1.")]
Recall = Annotated[
    float | None, typer.Option(help="Instead of costs: the recall of the positive class to keep, such as 0.95.")
]

# ── the result ───────────────────────────────────────────────────────────────────────────────

Save = Annotated[
    str,
    typer.Option(
        help="Which of the best are registered: all, none, or ranks such as 1,3. `zelador models save` registers "
        "others later."
    ),
]
Names = Annotated[
    str | None,
    typer.Option("--names", "--name", help="Names of the models that are registered, by rank, separated by commas."),
]
Notes = Annotated[str, typer.Option(help="Notes to store with the models.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")]
