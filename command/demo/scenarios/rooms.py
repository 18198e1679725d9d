"""Real readings: light and temperature of an office room, with its occupancy (rooms/ATTRIBUTION.md).

The rows of one room are distributed over four device names, as if from several devices. The history is
every third row of `datatraining.txt`; the live readings are `datatest.txt`, from other days.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from command.demo.scenarios.scenario import Sample, Scenario
from command.demo.scenarios.table import samples_of
from zelador.settings import load_settings
from zelador.table import Wanted

COLUMNS = {"lux": "Light", "temperature": "Temperature"}
ROW_STEP = 3  # uses 2,715 of 8,143 rows: adjacent minutes hardly differ, and training takes a third of the time


def scenario() -> Scenario:
    about = "real readings of an office room (UCI Occupancy Detection, Candanedo and Feldheim 2016): is it occupied?"
    history = _rows("datatraining.txt")[::ROW_STEP]
    live = [replace(sample, measured_at=None) for sample in _rows("datatest.txt")]
    return Scenario("rooms", about, tuple(COLUMNS), history, live, {"lux": "lx", "temperature": "°C"})


def _rows(name: str) -> list[Sample]:
    devices = [f"room-{i}" for i in range(1, 5)]
    wanted = Wanted(tuple(COLUMNS.values()), "Occupancy", time="date")
    with resources.as_file(resources.files("command.demo.scenarios").joinpath("rooms", name)) as path:
        rows = samples_of(Path(path), load_settings(), wanted, devices)
    return [replace(row, values={feature: row.values[column] for feature, column in COLUMNS.items()}) for row in rows]
