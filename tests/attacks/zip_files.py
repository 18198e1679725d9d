# ruff: noqa: E501
"""Zips that are not laid out as exported models are, each made from a good one."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from functools import cache

from registry.bundle import bundle
from registry.model.artifact import manifest_of, pack
from tests import small_models

END = 22


@cache
def good() -> bytes:
    upload = small_models.upload()
    files = pack(upload, "good")
    return bundle.pack(manifest_of(upload, "good", files, "2026-01-01T00:00:00.000Z"), files)


def repacked(data: bytes, method: int = zipfile.ZIP_DEFLATED, more: dict[str, bytes] | None = None) -> bytes:
    """The archive packed again with the standard library's defaults, as a person would do it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        for name, content in (more or {}).items():
            new.writestr(name, content)
    return file.getvalue()


def streamed(data: bytes) -> bytes:
    """A zip written to a stream, with the sizes after the data."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.parts = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, part) -> int:  # type: ignore[no-untyped-def,override]
            self.parts += part
            return len(part)

    pipe = Pipe()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return bytes(pipe.parts)


def central(data: bytes, at: int, form: str, change: Callable[[int], int], every: bool = False) -> bytes:
    """The zip with a number of the directory's first entry (or of every entry) changed; `at` is its place in an entry."""
    found = bytearray(data)
    offset, count = struct.unpack_from("<L", data, len(data) - 6)[0], struct.unpack_from("<H", data, len(data) - 12)[0]
    for _ in range(count if every else 1):
        (value,) = struct.unpack_from(form, found, offset + at)
        struct.pack_into(form, found, offset + at, change(value))
        name, extra, comment = struct.unpack_from("<3H", found, offset + 28)
        offset += 46 + name + extra + comment
    return bytes(found)


def end(data: bytes, at: int, form: str, value: int) -> bytes:
    found = bytearray(data)
    struct.pack_into(form, found, len(data) - END + at, value)
    return bytes(found)


def with_method(data: bytes, method: int) -> bytes:
    """A zip in which both headers of the first member claim this compression method."""
    found = bytearray(central(data, 10, "<H", lambda _: method))
    struct.pack_into("<H", found, 8, method)
    return bytes(found)


def with_flags(data: bytes, flags: int) -> bytes:
    found = bytearray(central(data, 8, "<H", lambda old: old | flags))
    struct.pack_into("<H", found, 6, struct.unpack_from("<H", found, 6)[0] | flags)
    return bytes(found)


def many(count: int) -> bytes:
    """A directory of `count` entries, each for the same empty file."""
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * count
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(directory), len(local), 0)
    return local + directory + last


def zip64(count: int) -> bytes:
    """The same zip, with counts in 64 bits."""
    data = many(count)
    body, offset = data[:-END], 31
    size = len(body) - offset
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return body + record + locator + last


def hostile() -> dict[str, Callable[[], bytes]]:
    """Hostile zips by name, each made when its function is called."""
    return {
        "lzma": lambda: repacked(good(), zipfile.ZIP_LZMA),
        "bzip2": lambda: repacked(good(), zipfile.ZIP_BZIP2),
        "damaged lzma": lambda: with_method(good(), zipfile.ZIP_LZMA),
        "an unknown method": lambda: with_method(good(), 99),
        "encrypted": lambda: with_flags(good(), 1),
        "strongly encrypted": lambda: with_flags(good(), 0x41),
        "a patch": lambda: with_flags(good(), 0x20),
        "a masked directory": lambda: with_flags(good(), 0x2000),
        "600,000 entries": lambda: many(600_000),
        "60,000 entries": lambda: many(60_000),
        "201 entries": lambda: many(201),
        "600,000 entries in 64 bits": lambda: zip64(600_000),
        "bytes before": lambda: b"MZ" + good(),
        "bytes behind": lambda: good() + b"\0",
        "a comment": lambda: end(good(), 20, "<H", 4) + b"text",
        "another zip behind": lambda: good() + good(),
        "two disks": lambda: end(good(), 4, "<H", 1),
        "a count that lies": lambda: end(good(), 10, "<H", 1),
        "no entries": lambda: end(end(good(), 10, "<H", 0), 8, "<H", 0),
        "a directory elsewhere": lambda: end(good(), 16, "<L", 5),
        "64-bit sizes": lambda: central(good(), 24, "<L", lambda _: 0xFFFFFFFF),
        "an offset of 64 bits": lambda: central(good(), 42, "<L", lambda _: 0xFFFFFFFF),
        "overlapping files": lambda: central(good(), 42, "<L", lambda _: 0, every=True),
        "an offset in a file": lambda: central(good(), 42, "<L", lambda old: old + 1),
        "a size that lies": lambda: central(good(), 20, "<L", lambda old: old + 100),
        "an unpacked size that lies": lambda: central(good(), 24, "<L", lambda old: old // 2),
        "a checksum that lies": lambda: central(good(), 16, "<L", lambda old: old ^ 1),
        "a long name": lambda: central(good(), 28, "<H", lambda _: 60_000),
        "another name in the directory": lambda: good()[: good().rindex(b"manifest.json")] + good()[good().rindex(b"manifest.json") :].replace(b"manifest", b"Manifest", 1),
        "a name twice": lambda: repacked(good(), more={"golden.jsoX": b"{}"}).replace(b"golden.jsoX", b"golden.json"),
        "a name in other letters": lambda: repacked(good(), more={"GOLDEN.json": b"{}"}),
        "a name out of the folder": lambda: repacked(good(), more={"../x.json": b"{}"}),
        "an absolute name": lambda: repacked(good(), more={"/x.json": b"{}"}),
        "a name with a zero": lambda: good().replace(b"golden.json", b"golden\0json"),
        "a backslash": lambda: repacked(good(), more={"report\\x.json": b"{}"}),
        "a folder": lambda: repacked(good(), more={"report/": b""}),
        "80 MB of zeros": lambda: repacked(good(), more={"report/zeros.txt": bytes(80_000_000)}),
        "a large golden file": lambda: repacked(good().replace(b"golden.json", b"golden.jsom"), more={"golden.json": bytes(9_000_000)}),
        "no manifest": lambda: good().replace(b"manifest.json", b"manifesx.json"),
        "nothing": lambda: b"",
        "an end alone": lambda: good()[-END:],
        "cut short": lambda: good()[: len(good()) // 2],
        "no zip": lambda: b"\x80\x04N.",
    }  # fmt: skip
