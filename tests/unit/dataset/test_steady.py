"""A value that is stuck is found among any number of readings, by periods of time instead of all of them."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from archive.dataset import steady, thin
from archive.dataset.columns import Columns
from archive.dataset.engine import Engine, open_engine
from archive.dataset.time_checks import changed_units, stuck
from zelador.settings import DatasetSettings

BEGIN, STEP_MS, ROWS = 1_795_500_000_000, 10_000, 4_320  # twelve hours
STUCK = slice(2_000, 3_080)  # three hours


def readings() -> pa.Table:
    draw = np.random.default_rng(3)
    parts = []
    for device in ("good", "stuck", "slow"):
        noise = np.round(draw.normal(50, 2, ROWS), 1)
        if device == "stuck":
            noise[STUCK] = 51.3
        if device == "slow":  # it always changes every two and a half hours
            noise = np.repeat(draw.normal(50, 2, 5), 900)[:ROWS]
        unit = draw.normal(20, 1, ROWS) * np.where(np.arange(ROWS) < 3_000, 1.0, 1_000.0 if device == "good" else 1.0)
        unit[::7] = np.nan
        parts.append((device, noise, unit))
    at = np.arange(ROWS)
    measured = np.tile(BEGIN + STEP_MS * at, len(parts))
    return pa.table(
        {
            "device": np.repeat([name for name, *_ in parts], ROWS),
            "measured": measured,
            "received": measured + 40,
            "ms": measured + 50,
            "seq": np.repeat(np.arange(len(parts)), ROWS),
            "place": np.zeros(len(measured), np.int64),
            "id": [str(place) for place in range(len(measured))],
            "label": pa.nulls(len(measured), pa.string()),
            "f0": np.concatenate([noise for _, noise, _ in parts]),
            "f1": pa.array(np.concatenate([unit for *_, unit in parts]), from_pandas=True),
        }
    )


def looked_at(engine: Engine, rows: int) -> Columns:
    engine.run("create or replace temp table days as select device, min(measured) as first, max(measured) as last "
               "from plain group by device")  # fmt: skip
    return thin.thinned(engine, ("pressure", "flow"), rows, "select * from {table}")


def test_a_value_stuck_for_hours_is_found_in_a_sample_of_the_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_engine(DatasetSettings(cache=tmp_path)) as engine:
        engine.add("made", readings())
        engine.run("create temp view plain as select * from made")
        engine.run("create temp view labeled as select * from made")
        whole = looked_at(engine, 3 * ROWS)
        monkeypatch.setattr(thin, "MAX_ROWS", 300)
        part = looked_at(engine, 3 * ROWS)
        assert len(part) < 350
        runs = [steady.of_view(engine, at) for at in range(2)]
        all_runs = [steady.of_columns(column, whole, list(whole.by_device())) for column in whole.values]
        [found], [expected] = list(stuck("pressure", runs[0])), list(stuck("pressure", all_runs[0]))
        assert (found.device, found.kind) == (expected.device, expected.kind) == ("stuck", "stuck")
        assert "stays at 51.3 for 3.0 hours" in expected.sentence and "stays at 51.3 for 2." in found.sentence
        assert not list(stuck("flow", runs[1])) and not list(stuck("flow", all_runs[1]))
        for columns in (whole, part):
            [change] = changed_units("flow", columns.values[1], columns, list(columns.by_device()))
            assert change.device == "good" and "about 1000" in change.sentence


def test_runs_of_periods_cover_each_reading_that_has_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thin, "MAX_ROWS", 100)
    with open_engine(DatasetSettings(cache=tmp_path)) as engine:
        engine.add("plain", readings())
        engine.run("create temp view labeled as select * from plain")
        looked_at(engine, 3 * ROWS)
        runs = steady.of_view(engine, 0)
        assert set(runs) == {"good", "stuck", "slow"}
        for each in runs.values():
            assert all(run.begin <= run.end for run in each)
            assert array("q", [run.begin for run in each]) == array("q", sorted(run.begin for run in each))
            assert (each[0].begin, each[-1].end) == (BEGIN, BEGIN + STEP_MS * (ROWS - 1))
