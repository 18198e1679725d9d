"""A local file as the pieces that a store writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READ_CHUNK = 8 << 20  # bytes in memory at once; a bucket takes a file of one chunk in one request


@dataclass(frozen=True, slots=True)
class FileChunks:
    """Can be iterated again, for another try. An empty file is one empty piece."""

    path: Path

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield file.read(READ_CHUNK)
            while chunk := file.read(READ_CHUNK):
                yield chunk
