"""Draws a sample of a data set's readings, even over devices and time, for what needs readings in order."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from archive.dataset.columns import Columns
from archive.dataset.engine import Engine

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 200_000


def thinned(engine: Engine, features: tuple[str, ...], rows: int, labeling: str) -> Columns:
    """Returns all readings of the view `labeled` if there are few, else each device's first in each of equal periods.

    They are in order of arrival. `labeling` is the view's. Needs the table `days`; creates the table `periods`.
    """
    values = ", ".join(f"f{at}" for at in range(len(features)))
    columns = f"device, measured, received, ms, seq, place, label, {values}"
    if rows <= MAX_ROWS:
        return columns_of(engine.table(f"select {columns} from labeled order by ms, seq, place"), features)
    steady = ", ".join(map(_steady, range(len(features))))
    engine.run(
        f"create or replace temp table periods as select device, measured // {_width(engine)} as period, "
        f"min(measured) as first, max(measured) as last, count(*) as rows, {steady} "
        "from plain group by all"
    )
    engine.run(
        "create or replace temp table picked as select * exclude (id) from plain semi join periods "
        "on plain.device = periods.device and plain.measured = periods.first"
    )
    found = f"({labeling.format(table='picked')})"
    return columns_of(engine.table(f"select {columns} from {found} order by ms, seq, place"), features)


def _steady(feature: int) -> str:
    """What tells whether a value filled a period (steady.py)."""
    name = f"f{feature}"
    return f"min({name}) as low{feature}, max({name}) as high{feature}, count({name}) as known{feature}"


def _width(engine: Engine) -> int:
    """Returns the length of a period (ms) with which all devices together have about MAX_ROWS periods."""
    ((devices, spans),) = engine.rows(
        "select count(*), sum(last - first)::bigint from (select device, min(first) as first, max(last) as last "
        "from days group by device)"
    )
    return max(1, int(spans) // max(1, MAX_ROWS - int(devices)))


def columns_of(table: pa.Table, features: tuple[str, ...]) -> Columns:
    """Converts a table with `device`, `measured`, `label`, `f0` … and perhaps `received`."""
    import pyarrow.compute as pc

    found = Columns(features)
    devices = table["device"].combine_chunks().dictionary_encode()
    found.names = devices.dictionary.to_pylist()
    found.devices = _array("l", devices.indices.to_numpy())
    found.measured = _array("q", table["measured"].to_numpy())
    known = "received" in table.column_names
    found.received = _array(
        "q", pc.fill_null(table["received"], 0).to_numpy() if known else np.zeros(table.num_rows, np.int64)
    )
    found.labels = table["label"].to_pylist()
    found.values = [_array("d", pc.fill_null(table[f"f{at}"], float("nan")).to_numpy()) for at in range(len(features))]
    return found


def _array(kind: str, column: np.ndarray) -> array:  # type: ignore[type-arg]
    found: array = array(kind)  # type: ignore[type-arg]
    found.frombytes(np.ascontiguousarray(column, dtype=kind).tobytes())
    return found
