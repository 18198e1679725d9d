"""The digest of a data set's rows in their order, however they are divided into portions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


class Digest:
    """SHA-256 over each column, then over the columns' digests. All missing numbers count as the same NaN."""

    def __init__(self) -> None:
        self._columns: dict[str, Any] = {}
        self._rows = 0

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        self._rows += rows.num_rows
        for name in rows.schema.names:
            digest = self._columns.setdefault(name, hashlib.sha256())
            column = rows[name]
            for chunk in column.chunks if hasattr(column, "chunks") else [column]:
                _update(digest, chunk)

    def hex(self) -> str:
        whole = hashlib.sha256(f"{self._rows}".encode())
        for name, digest in self._columns.items():
            whole.update(f"\0{name}\0".encode() + digest.digest())
        return whole.hexdigest()


def _update(digest: Any, chunk: pa.Array) -> None:
    import pyarrow as pa

    if pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
        for text in chunk.to_pylist():
            data = b"" if text is None else text.encode()
            digest.update((b"\xff" * 4 if text is None else len(data).to_bytes(4, "little")) + data)
    elif pa.types.is_floating(chunk.type):
        values = chunk.cast(pa.float64()).to_numpy(zero_copy_only=False)
        digest.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
    else:
        known = chunk.cast(pa.int64())
        digest.update(np.asarray(known.fill_null(-1).to_numpy(zero_copy_only=False)).astype("<i8").tobytes())
