"""Converts the readings in the buffer to a table with the columns of a data set."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zelador.buffer.entry import order_of
from zelador.buffer.history import Buffered
from zelador.messages import label_text

if TYPE_CHECKING:
    import pyarrow as pa


def table_of(pages: Iterable[list[Buffered]], features: Sequence[str]) -> pa.Table:
    """Converts pages of the stream to a table with a row per reading; null for a missing value.

    Columns: `device`, `measured`, `received`, `ms`, `seq`, `place`, `id`, `own`, and `f0`, `f1` … for the features.
    """
    import pyarrow as pa

    numbers = {name: array("q") for name in ("measured", "received", "ms", "seq", "place")}
    devices: list[str] = []
    ids: list[str] = []
    labels: list[str | None] = []
    values: list[list[float | None]] = [[] for _ in features]
    orders: dict[tuple[str, ...], list[int | None]] = {}
    for page in pages:
        for each in page:
            ms, seq = order_of(each.entry)
            reading = each.reading
            row = (reading.measured_at, each.received_at, ms, seq, each.place)
            for column, number in zip(numbers.values(), row, strict=True):
                column.append(number)
            devices.append(each.device)
            ids.append(reading.id)
            labels.append(_label(each.label))
            order = orders.get(each.features)
            if order is None:
                order = orders[each.features] = [_place(name, each.features) for name in features]
            for at, place in enumerate(order):
                values[at].append(None if place is None else reading.values[place])
    return pa.table(
        {
            "device": pa.array(devices, pa.string()),
            **{name: pa.array(memoryview(column), pa.int64()) for name, column in numbers.items()},
            "id": pa.array(ids, pa.string()),
            "own": pa.array(labels, pa.string()),
            **{f"f{at}": pa.array(column, pa.float64()) for at, column in enumerate(values)},
        }
    )


def _label(text: str | None) -> str | None:
    """Applies the current rule for labels, because an older version stored some in another form."""
    try:
        return label_text(text)
    except ValueError:
        return None


def _place(name: str, features: tuple[str, ...]) -> int | None:
    return features.index(name) if name in features else None
