"""Samples from a table, for replay."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from time import time

from command.demo.scenarios.scenario import Sample, Scenario
from zelador.errors import InvalidInput
from zelador.printable import counted
from zelador.ranges import Ranges
from zelador.settings import Settings, load_settings
from zelador.table import Wanted, read_table

BEHIND = "ZELADOR_INGEST__MAX_BEHIND_S where the ingester runs, or its older rows go to quarantine"
HISTORY_SHARE = 0.7
MAX_HISTORY = 3_000  # rows; more would only make the demo's training slower


def samples_of(
    path: Path,
    settings: Settings,
    wanted: Wanted,
    devices: Sequence[str],
    note: Callable[[str], None] = lambda _: None,
    labeled_only: bool = False,
) -> list[Sample]:
    """Reads samples from a table. Rows without a device are assigned to `devices` in turn.

    Rows that lack a value or that would be refused live are left out, and `note` says how many. Labels are read as in
    training. Raises InvalidInput.
    """
    rows = read_table(path, settings, wanted)
    for each in rows.notes:
        note(each)
    ranges = Ranges.of(settings, rows.features)
    samples: list[Sample] = []
    refused, unlabeled, example = 0, 0, ""
    for place in range(len(rows)):
        values = rows.row(place)
        if objection := rows.faults.get(place) or ranges.complete_objection(values):
            refused, example = refused + 1, example or objection
            continue
        label = rows.labels[place] if rows.labels else None
        if label is None and wanted.label is not None:
            unlabeled += 1
            if labeled_only:
                continue
        device = rows.devices[place] if rows.devices else devices[len(samples) % len(devices)]
        moment = None if rows.times is None or not rows.calendar else _iso(rows.times[place])
        samples.append(Sample(device, dict(zip(rows.features, values, strict=True)), label or "", moment))
    if refused:
        note(f"{refused} of {len(rows)} rows are left out: {example}")
    limit_s = settings.ingest.max_behind_s
    if rows.times is not None and rows.calendar and (oldest := min(rows.times)) < (time() - limit_s) * 1000:
        note(f"the oldest row is of {_iso(oldest)}, and a reading may be {limit_s / 86_400:g} days old: raise {BEHIND}")
    if unlabeled:
        note(
            counted(unlabeled, "row without a label is", "rows without a label are")
            + (" left out" if labeled_only else " sent without one")
        )
    if not samples:
        raise InvalidInput(f"{path} has no complete row for {', '.join(rows.features)}: {example or 'no label'}")
    return samples


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="milliseconds")


def scenario_from(path: Path, features: Sequence[str], label: str, seed: int = 7) -> Scenario:
    """Makes a scenario of a user's file: a random 70 % of the rows is the history; the rest is live, without labels."""
    devices = [f"device-{i}" for i in range(1, 6)]
    samples = samples_of(path, load_settings(), Wanted(tuple(features), label), devices, labeled_only=True)
    if len({sample.label for sample in samples}) < 2:
        raise InvalidInput(f"{path}: column {label!r} has only one class; a classifier needs at least two")
    random.Random(seed).shuffle(samples)
    cut = int(len(samples) * HISTORY_SHARE)
    about = f"readings of {path.name}, {len(samples)} rows, distributed over five devices"
    return Scenario("csv", about, tuple(features), samples[: min(cut, MAX_HISTORY)], samples[cut:])
