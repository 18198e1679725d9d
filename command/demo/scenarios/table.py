"""Reads readings from a CSV file, for replay. (The trainer reads CSV files with pandas.)"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Sequence
from pathlib import Path

from command.demo.scenarios.scenario import Sample, Scenario
from zelador.errors import InvalidInput

HISTORY_SHARE = 0.7
MAX_HISTORY = 3_000  # rows; more would only make the demo's training slower


def read_table(
    path: Path, features: Sequence[str], label: str | None, devices: Sequence[str], time: str | None = None
) -> list[Sample]:
    """The rows of `path`, assigned to `devices` in turn. Skips rows with a missing value.

    The header may lack a name for the first column, as in files that pandas writes with row numbers.
    Raises InvalidInput for a missing file, a missing column, or a value that is not a number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidInput(f"{path} cannot be read ({reason}); name a CSV file with a header") from None
    if len(rows) < 2:
        raise InvalidInput(f"{path} has no rows")
    header, body = rows[0], rows[1:]
    shift = 1 if len(body[0]) == len(header) + 1 else 0
    wanted = [*features, *([label] if label else []), *([time] if time else [])]
    if missing := [name for name in wanted if name not in header]:
        raise InvalidInput(f"{path} has no column {missing[0]!r}; it has {', '.join(header)}")
    columns = {name: header.index(name) + shift for name in wanted}
    samples: list[Sample] = []
    for number, row in enumerate(body, start=2):
        if len(row) != len(header) + shift:
            continue
        try:
            values = {name: float(row[columns[name]]) for name in features if row[columns[name]].strip()}
        except ValueError as error:
            raise InvalidInput(f"{path}, line {number}: {error}; a feature must be a number") from None
        text = row[columns[label]].strip() if label else ""
        if len(values) < len(features) or not all(map(math.isfinite, values.values())) or (label and not text):
            continue
        measured_at = row[columns[time]] if time else None
        samples.append(Sample(devices[len(samples) % len(devices)], values, text, measured_at))
    if not samples:
        raise InvalidInput(f"{path} has no complete row for {', '.join(wanted)}")
    return samples


def scenario_from(path: Path, features: Sequence[str], label: str, seed: int = 7) -> Scenario:
    """A scenario from a user's file: a random 70 % of the rows is the history; the rest is live, without labels."""
    samples = read_table(path, features, label, [f"device-{i}" for i in range(1, 6)])
    if len({sample.label for sample in samples}) < 2:
        raise InvalidInput(f"{path}: column {label!r} has only one class; a classifier needs at least two")
    random.Random(seed).shuffle(samples)
    cut = int(len(samples) * HISTORY_SHARE)
    about = f"readings of {path.name}, {len(samples)} rows, distributed over five devices"
    return Scenario("csv", about, tuple(features), samples[: min(cut, MAX_HISTORY)], samples[cut:])
