"""Finds out what a pickle would import and call if it were loaded, without importing or calling anything."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.legacy.pickles.machine import Findings
from registry.legacy.pickles.opcodes import follow
from registry.legacy.pickles.role import Role, role_of
from registry.legacy.pickles.values import Untraceable

NUMPY = b"\x93NUMPY"
MAX_UNPACKED = 1 << 30  # bytes
A_HELP = (
    "This list is a help, not a proof: even usual names can get harmful arguments. Trust a pickle only if you "
    "know who wrote it."
)


@dataclass(frozen=True, slots=True)
class Contents:
    """`names`: what a load would import and may call. `unusual`: those that no saved model uses like this."""

    names: tuple[str, ...]
    unusual: tuple[str, ...]
    trouble: str | None = None  # why the file could not be followed to its end; the lists are then incomplete
    role: Role = "model"  # what the object seems to be; "beside": something that a model may need


def contents(data: bytes) -> Contents:
    """Inspects `data`. Nothing in it is run, imported or constructed."""
    findings = Findings()
    trouble = None
    role: Role = "model"
    try:
        plain = unpacked(data)
        file = io.BytesIO(plain)
        role = role_of(follow(file, findings), findings.names)
        if left := len(plain) - file.tell():
            trouble = f"{left:,} bytes follow its end"
    except Untraceable as error:
        trouble = f"it has {error}, so its calls cannot be traced"
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError, RecursionError) as error:
        trouble = f"{type(error).__name__}: {str(error)[:200]}"
    return Contents(tuple(sorted(findings.names)), tuple(sorted(findings.unusual)), trouble, role)


def unpacked(data: bytes) -> bytes:
    """The pickle, decompressed as joblib would do it, by its first bytes, and at most once.

    A load must use these bytes, so that nothing else is decompressed. Raises ValueError if it is too large, and
    OSError, EOFError, zlib.error or lzma.LZMAError if it is damaged.
    """
    for magic, read in OPENERS.items():
        if data.startswith(magic):
            found = read(data)
            break
    else:
        found = data
    if len(found) > MAX_UNPACKED:
        raise ValueError("it unpacks to more than a gigabyte")
    if found.startswith(NUMPY):
        found = _objects(found)
    if found is not data and found.startswith(tuple(OPENERS)):
        raise ValueError("it is compressed twice")
    return found


def _objects(data: bytes) -> bytes:
    """The pickle in what numpy.save writes for an array of objects: after its header."""
    file = io.BytesIO(data)
    major, _ = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    if not header(file)[2].hasobject:  # type: ignore[no-untyped-call]
        raise ValueError("it is an array of numbers by numpy.save")
    return data[file.tell() :]


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    found = stream.decompress(data, MAX_UNPACKED + 1)
    if len(found) <= MAX_UNPACKED and (not stream.eof or stream.unused_data):
        raise ValueError("it is compressed and cut short, or has bytes after its end")
    return found


def _refused(data: bytes) -> bytes:
    raise ValueError("it is compressed by lz4, or by an old joblib, which is not supported")


def _opened(reader: Callable[[io.BytesIO], Any]) -> Callable[[bytes], bytes]:
    def read(data: bytes) -> bytes:
        found: bytes = reader(io.BytesIO(data)).read(MAX_UNPACKED + 1)
        return found

    return read


OPENERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": _opened(lambda file: gzip.GzipFile(fileobj=file)),
    b"BZ": _opened(bz2.BZ2File),
    b"\xfd7zXZ": _opened(lzma.LZMAFile),
    b"\x5d\x00": _opened(lzma.LZMAFile),
    b"\x78": _inflated,
    b"\x04\x22\x4d\x18": _refused,
    b"ZF": _refused,
}
