"""Options that name columns of a table, shared by `train` and `evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

DeviceColumn = Annotated[
    str | None,
    typer.Option(
        "--device", help="With --csv: the column with the device; `none` for none. Default: guessed by its name."
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time",
        help="With --csv: the column with the time; `row` for the order of the rows, `none` for none. "
        "Default: guessed.",
    ),
]
