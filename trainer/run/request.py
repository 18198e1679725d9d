"""What the parent asks of the child: request.json and rows.npy in the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.run_document import DataFacts

REQUEST, ROWS = "request.json", "rows.npy"


class RunFacts(TypedDict):
    """The facts about the run in each model's metadata."""

    metric: str
    run: str
    data: DataFacts
    description: str
    tags: list[str]


class Request(msgspec.Struct, frozen=True):
    """`labels` has one text for each row of rows.npy; `candidates` are PyCaret's ids, None for all of them."""

    features: tuple[str, ...]
    units: dict[str, str]
    labels: tuple[str, ...]
    metric: str
    folds: int
    keep: int
    holdout: float
    seed: int
    candidates: tuple[str, ...] | None
    metadata: RunFacts


def write(folder: Path, request: Request, rows: NDArray[np.float64]) -> None:
    np.save(folder / ROWS, rows, allow_pickle=False)
    (folder / REQUEST).write_bytes(msgspec.json.encode(request))


def read(folder: Path) -> tuple[Request, NDArray[np.float64]]:
    request = msgspec.json.decode((folder / REQUEST).read_bytes(), type=Request)
    rows: NDArray[np.float64] = np.load(folder / ROWS, allow_pickle=False)
    return request, rows
