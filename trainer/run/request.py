"""The parent's request to the child: request.json and arrays in the run's folder, with the live model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.model import manifest
from registry.model.classifier import Classifier
from registry.run_document import DataFacts
from trainer.evaluate.split_parts import Split
from trainer.run.options import More

REQUEST, ROWS, SPLIT, LIVE = "request.json", "rows.npy", "split.npz", "live"

Codes = NDArray[np.int64]


class RunFacts(TypedDict):
    """The facts about the run that go into each model's metadata."""

    metric: str
    run: str
    data: DataFacts
    description: str
    tags: list[str]


class Request(msgspec.Struct, frozen=True):
    """A request. `labels` has one text for each row of rows.npy. `candidates` are PyCaret's ids; None for all.

    `alone` has the classes that are on one device or in one recording only, and where.
    """

    features: tuple[str, ...]
    units: dict[str, str]
    labels: tuple[str, ...]
    metric: str
    positive: str | None
    missed: float
    false_alarm: float
    recall: float | None
    folds: int
    folds_by: str
    alone: dict[str, str]
    keep: int
    seed: int
    candidates: tuple[str, ...] | None
    metadata: RunFacts
    more: More = msgspec.field(default_factory=More)
    parallel: Literal["dask", "ray", "spark"] | None = None
    parallel_address: str | None = None
    devices: tuple[str, ...] = ()  # names, by the codes in the arrays
    unsure: str | None = None  # why the scores say nothing about other rows
    live: str | None = None  # the live model's name
    live_digest: str = ""


@dataclass(frozen=True, slots=True)
class Arrays:
    """The facts about each row: values, where it is tested, stretch, whether it counts, device and time if known."""

    rows: NDArray[np.float64]
    tested: Codes
    stretches: Codes
    counted: NDArray[np.bool_]
    within: NDArray[np.bool_]
    devices: Codes | None
    times: Codes | None


def write(
    folder: Path,
    request: Request,
    rows: NDArray[np.float64],
    split: Split,
    devices: Codes | None,
    times: Codes | None,
) -> None:
    known = {name: found for name, found in (("devices", devices), ("times", times)) if found is not None}
    np.save(folder / ROWS, rows, allow_pickle=False)
    np.savez(
        folder / SPLIT,
        tested=split.tested, stretches=split.units, counted=split.counted, within=split.within, **known,
    )  # fmt: skip
    (folder / REQUEST).write_bytes(msgspec.json.encode(request))


def read(folder: Path) -> tuple[Request, Arrays]:
    request = msgspec.json.decode((folder / REQUEST).read_bytes(), type=Request)
    rows: NDArray[np.float64] = np.load(folder / ROWS, allow_pickle=False)
    with np.load(folder / SPLIT, allow_pickle=False) as found:
        arrays = Arrays(
            rows,
            found["tested"],
            found["stretches"],
            found["counted"],
            found["within"],
            found.get("devices"),
            found.get("times"),
        )
    return request, arrays


def write_live(folder: Path, saved: manifest.Manifest, files: Mapping[str, bytes]) -> None:
    """Writes the live model beside the request. Its files were checked before."""
    for path, data in {**files, manifest.FILE: manifest.encode(saved)}.items():
        target = folder / LIVE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def live(folder: Path, digest: str) -> tuple[Classifier, manifest.Manifest]:
    """Loads the live model. Raises ModelRefused."""
    from registry.model.artifact import open_classifier

    saved = msgspec.json.decode((folder / LIVE / manifest.FILE).read_bytes(), type=manifest.Manifest)
    files = {
        path.relative_to(folder / LIVE).as_posix(): path.read_bytes()
        for path in (folder / LIVE).rglob("*")
        if path.is_file()
    }
    return open_classifier(saved, digest, files), saved
