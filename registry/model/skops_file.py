"""Limits the sizes in a skops file, which is a zip, while reading it and before skops opens it."""

from __future__ import annotations

import io
import zipfile
import zlib

from registry.errors import ModelRefused

MAX_UNPACKED = 1 << 30  # bytes of all members
MAX_SCHEMA = 1 << 26  # bytes of schema.json; a forest of 500 trees has 5 MiB
MAX_MEMBERS = 50_000  # one for each array
SCHEMA = "schema.json"
CHUNK = 1 << 20
ENTRY = b"PK\x01\x02"  # the beginning of each entry of a zip's central directory
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1


def unpacked_size(data: bytes, most: int = MAX_UNPACKED) -> int:
    """Total bytes of all members, as read, not as the zip states. Raises ModelRefused above a limit."""
    if data.count(ENTRY) > MAX_MEMBERS:  # before zipfile creates an object for each
        raise ModelRefused(f"model.skops contains more than {MAX_MEMBERS} files")
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            infos = packed.infolist()
            if len({info.filename for info in infos}) != len(infos):
                raise ModelRefused("model.skops contains the same file twice")
            for info in infos:
                if info.compress_type not in METHODS or info.flag_bits & ENCRYPTED:
                    raise ModelRefused("model.skops uses a compression method that models never use")
                bound = min(most - total, MAX_SCHEMA if info.filename == SCHEMA else most)
                total += _size(packed, info, bound)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise ModelRefused(f"model.skops is not a ZIP file, or is damaged ({error})") from None
    return total


def _size(packed: zipfile.ZipFile, info: zipfile.ZipInfo, bound: int) -> int:
    size = 0
    with packed.open(info) as member:
        while piece := member.read(CHUNK):
            size += len(piece)
            if size > bound:
                raise ModelRefused(
                    f"model.skops is too large when unpacked: its {info.filename[:60]!r} has more than {bound} bytes"
                )
    return size


def mentions(data: bytes, word: bytes) -> bool:
    """True if schema.json contains `word`. Call `unpacked_size` first."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return word in packed.read(SCHEMA)
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError):
        return False
