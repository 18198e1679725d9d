"""Readings from a CSV file, for replay (the trainer has a reader of its own, with pandas)."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Sequence
from pathlib import Path

from zelador.errors import InvalidInput
from zelador.scenarios.scenario import Sample, Scenario

HISTORY_SHARE = 0.7
MAX_HISTORY = 3_000  # enough for a demo's training; more only makes it wait


def read_table(
    path: Path, features: Sequence[str], label: str | None, devices: Sequence[str], time: str | None = None
) -> list[Sample]:
    """The rows of `path`, dealt out to `devices` in turn. A row that lacks a value is passed over.

    A header that lacks the name of the first column (a row number, as pandas writes it) is understood.
    Raises InvalidInput: no such file, a column missing, a value that is no number.
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
        when = row[columns[time]] if time else None
        samples.append(Sample(devices[len(samples) % len(devices)], values, text, when))
    if not samples:
        raise InvalidInput(f"{path} has no complete row for {', '.join(wanted)}")
    return samples


def scenario_from(path: Path, features: Sequence[str], label: str, seed: int = 7) -> Scenario:
    """A user's own file as a scenario: a random 70 % is the history, the rest comes live without its labels."""
    samples = read_table(path, features, label, [f"device-{i}" for i in range(1, 6)])
    if len({sample.label for sample in samples}) < 2:
        raise InvalidInput(f"{path}: column {label!r} has only one class; a classifier needs at least two")
    random.Random(seed).shuffle(samples)
    cut = int(len(samples) * HISTORY_SHARE)
    about = f"readings of {path.name}, {len(samples)} rows, dealt out to five devices"
    return Scenario("csv", about, tuple(features), samples[: min(cut, MAX_HISTORY)], samples[cut:])
