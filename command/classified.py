"""The rows of a table with their predictions, one per row; null if a row cannot have one."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zelador.errors import InvalidInput
from zelador.ranges import Ranges
from zelador.settings import Settings
from zelador.table import Rows, Wanted, read_table
from zelador.table.formula import harmless

OWN = ("row", "label", "confidence", "probabilities", "reason")  # names that a kept column cannot have
ENDINGS = (".csv", ".jsonl", ".parquet")

Row = dict[str, Any]


@dataclass(slots=True)
class Classified:
    """The rows of a table. `readings` are those that a model can answer; `answer` fills `predictions` for all rows."""

    features: tuple[str, ...]
    kept: tuple[str, ...]
    notes: list[str]
    rows: Rows
    readings: list[dict[str, float]] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)  # why a model cannot answer each row; None if it can
    predictions: list[Row] = field(default_factory=list)

    @property
    def refused(self) -> int:
        return len(self.reasons) - len(self.readings)

    def answer(self, answers: Sequence[Mapping[str, Any]]) -> None:
        source = iter(answers)
        for place, reason in enumerate(self.reasons):
            row: Row = {"row": place + 1}
            row.update(zip(self.kept, map(_plain, self.rows.kept[place]) if self.kept else (), strict=True))
            if reason is None:
                row.update(next(source))
            else:
                row.update(label=None, confidence=None, probabilities=None, reason=reason)
            self.predictions.append(row)

    def beside(self, place: int) -> list[object]:
        """Returns what is shown beside the prediction of a row: its kept cells, or else its values."""
        if self.kept:
            return list(self.rows.kept[place])
        return [f"{value:g}" if value == value else "–" for value in self.rows.row(place)]


def classified(path: Path, settings: Settings, features: Sequence[str], keep: Sequence[str]) -> Classified:
    """Reads the rows. A row that would be refused as a live reading gets a reason. Raises InvalidInput."""
    rows = read_table(path, settings, Wanted(tuple(features), keep=tuple(keep), strict=False))
    ranges = Ranges.of(settings, rows.features)
    names = tuple(f"{name} (of the table)" if name in OWN else name for name in keep)
    found = Classified(rows.features, names, rows.notes, rows)
    for place in range(len(rows)):
        values = rows.row(place)
        reason = rows.faults.get(place) or ranges.complete_objection(values)
        found.reasons.append(reason)
        if reason is None:
            found.readings.append(dict(zip(rows.features, values, strict=True)))
    return found


def _plain(cell: object) -> object:
    """Returns the cell as JSON can represent it: NaN and infinity become null."""
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def check_out(path: Path) -> None:
    """Raises InvalidInput, before the work begins, if the file could not be written."""
    if path.suffix.lower() not in ENDINGS:
        raise InvalidInput(f"--out {path}: the name must end in {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise InvalidInput(f"--out {path}: there is no folder {path.parent}")


def write(path: Path, rows: Classified) -> None:
    """Writes the rows to a file: the kept columns, label, confidence, and a column for each probability."""
    labels = sorted({label for each in rows.predictions for label in each["probabilities"] or ()})
    flat = [_flat(each, rows.kept, labels) for each in rows.predictions]
    part = path.with_name(f"{path.name}.part")
    ending = path.suffix.lower()
    if ending == ".parquet":
        _write_parquet(part, flat, rows.kept)
    else:
        with part.open("w", encoding="utf-8", newline="") as file:
            if ending == ".jsonl":
                file.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in rows.predictions)
            else:
                writer = csv.DictWriter(file, list(flat[0]))
                writer.writeheader()
                writer.writerows(
                    {name: harmless(cell) if isinstance(cell, str) else cell for name, cell in each.items()}
                    for each in flat
                )
    part.replace(path)


def _flat(row: Row, kept: Sequence[str], labels: Sequence[str]) -> Row:
    found = {"row": row["row"], **{name: row[name] for name in kept}}
    found.update(label=row["label"], confidence=row["confidence"])
    found.update({f"p({label})": (row["probabilities"] or {}).get(label) for label in labels})
    return {**found, "reason": row.get("reason")}


def _write_parquet(path: Path, rows: Sequence[Row], kept: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = {}
    for name in rows[0]:
        cells = [row[name] for row in rows]
        mixed = name in kept and len({type(cell) for cell in cells if cell is not None}) > 1
        columns[name] = pa.array([None if cell is None else str(cell) for cell in cells] if mixed else cells)
    parquet.write_table(pa.table(columns), path)
