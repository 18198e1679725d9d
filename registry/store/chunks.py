"""A local file as chunks for a store to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ_CHUNK = 8 << 20  # bytes in memory at once; a bucket takes a file of one chunk in one request


@dataclass(frozen=True, slots=True)
class FileChunks:
    """The chunks of a file. Can be iterated again for a retry. An empty file is one empty chunk."""

    path: Path

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield file.read(READ_CHUNK)
            while chunk := file.read(READ_CHUNK):
                yield chunk
