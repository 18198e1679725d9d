"""Real readings: light and temperature of an office room, with its occupancy (rooms/ATTRIBUTION.md).

One room's stream is dealt out to four device names, so that it arrives as from several devices. The
history is every third row of `datatraining.txt`; live comes `datatest.txt`, days that training never saw.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from zelador.scenarios.scenario import Sample, Scenario
from zelador.scenarios.table import read_table

COLUMNS = {"lux": "Light", "temperature": "Temperature"}
EVERY = 3  # 2,715 of 8,143 rows: neighbouring minutes hardly differ, and training takes a third


def scenario() -> Scenario:
    about = "real readings of an office room (UCI Occupancy Detection, Candanedo and Feldheim 2016): is it occupied?"
    history = _rows("datatraining.txt")[::EVERY]
    live = [replace(sample, measured_at=None) for sample in _rows("datatest.txt")]
    return Scenario("rooms", about, tuple(COLUMNS), history, live, {"lux": "lx", "temperature": "°C"})


def _rows(name: str) -> list[Sample]:
    devices = [f"room-{i}" for i in range(1, 5)]
    with resources.as_file(resources.files("zelador.scenarios").joinpath("rooms", name)) as path:
        rows = read_table(Path(path), tuple(COLUMNS.values()), "Occupancy", devices, "date")
    return [
        Sample(
            row.device_id, {ours: row.values[theirs] for ours, theirs in COLUMNS.items()}, row.label, row.measured_at
        )
        for row in rows
    ]
