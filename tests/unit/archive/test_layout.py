"""The files of the archive: their columns survive, their names follow from their content, merging keeps the keys."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from archive import layout


def readings(rows: int, entry_ms: int = 1_795_514_400_000, **values: list[float | None]) -> pa.Table:
    schema = layout.reading_schema(values)
    columns = {
        "id": [f"r{row}" for row in range(rows)],
        "device_id": ["press-07"] * rows,
        "measured_at": [entry_ms + row for row in range(rows)],
        "received_at": [entry_ms] * rows,
        "seq": [None] * rows,
        "label": [None] * rows,
        "entry_ms": [entry_ms] * rows,
        "entry_seq": [0] * rows,
        "place": list(range(rows)),
    }
    named = {layout.column_of(name): column for name, column in values.items()}
    return pa.table({**columns, **named}, schema=schema)


def test_a_feature_may_have_the_name_of_a_column() -> None:
    table = readings(2, lux=[1.0, None], id=[2.0, 3.0], value_id=[4.0, 5.0])
    data = layout.encode(table)
    found = pq.read_table(io.BytesIO(data))
    assert found.equals(table)
    names = layout.feature_columns(found.schema)
    assert names == {"lux": "lux", "id": "value_id", "value_id": "value_value_id"}
    assert found[names["id"]].to_pylist() == [2.0, 3.0]
    assert found["lux"].null_count == 1


def test_the_same_rows_are_the_same_file() -> None:
    table = readings(100, lux=[float(row % 7) for row in range(100)])
    data = layout.encode(table)
    assert data == layout.encode(table)
    file = layout.describe("readings", table, data, "1795514400000-0", "1795514400000-0")
    assert file.path.startswith("readings/day=2026-11-24/1795514400000-0-1795514400000-0-")
    assert (file.kind, file.day, file.rows, file.end - file.begin) == ("readings", "2026-11-24", 100, 99)


@given(st.lists(st.integers(0, 2**45), unique=True, min_size=2, max_size=30), st.data())
def test_keys_do_not_depend_on_how_rows_are_divided(moments: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(moments) - 1))
    whole = pa.concat_tables([readings(2, ms, lux=[1.0, 2.0]) for ms in moments])
    parts = whole.slice(0, 2 * cut), whole.slice(2 * cut)
    assert layout.keys_of(whole) == layout.sum_of(layout.keys_of(part) for part in reversed(parts))
    assert layout.keys_of(whole) != layout.keys_of(whole.slice(1))
