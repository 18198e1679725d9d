"""Opens a file of a table, compressed or not. The unpacked size is bounded, as a small file can unpack to terabytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, cast

from zelador.errors import InvalidInput

MIB = 1 << 20
MAX_BYTES = 1024 * MIB  # unpacked
MAX_RATIO = 250  # unpacked to packed, once FREE_BYTES are exceeded
FREE_BYTES = 64 * MIB
MAX_WINDOW = 256 * MIB  # memory of one decompressor
READ_CHUNK = 256 * 1024

# Formats that people take for a table, by their first bytes, with what to do instead.
NO_TABLES = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls); save it as CSV",
    b"%PDF": "a PDF; export the table as CSV",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; export the table as CSV or Parquet",
    b"\x80\x04": "a pickle; export the table as CSV or Parquet",
    b"\x80\x05": "a pickle; export the table as CSV or Parquet",
    b"Rar!": "a RAR archive; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"FEA1": "a Feather file of version 1; write it again as Parquet",
}

MARKUP = (b"<!doctype", b"<html", b"<?xml")

Opener = Callable[[], IO[bytes]]


def opener(path: Path) -> Opener:
    """Returns a function that opens the unpacked content of `path` at its start. Raises InvalidInput."""
    try:
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{path} is not a file; name a CSV, JSON lines, Parquet or Arrow file")
        with path.open("rb") as file:
            magic = file.read(32)
        packed = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror}); name a table with a header") from None
    for start, what in NO_TABLES.items():
        if magic.startswith(start):
            raise InvalidInput(f"{path} is {what}")
    if magic.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(MARKUP):
        raise InvalidInput(f"{path} is a web page or XML; is it what you meant to download? Export the table as CSV")
    raw = _unpacked(path, magic)
    if raw is None:
        return lambda: _bounded(path, path.open("rb"), None)
    return lambda: _bounded(path, raw(), packed)


def _unpacked(path: Path, magic: bytes) -> Opener | None:
    """The opener of a compressed file, by its first bytes and not by its name; None if it is not compressed."""
    if magic.startswith(b"\x1f\x8b"):
        return lambda: cast(IO[bytes], gzip.open(path, "rb"))
    if magic.startswith(b"BZh"):
        return lambda: bz2.open(path, "rb")
    if magic.startswith(b"\xfd7zXZ\x00"):
        return lambda: io.BufferedReader(_Xz(path.open("rb")), READ_CHUNK)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return lambda: _zstd(path)
    if magic.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_member(path)
    return None


def _zip_member(path: Path) -> Opener:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and not _hidden(each.filename)]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise InvalidInput(f"{path} is a broken zip file ({error})") from None
    if any(each.filename == "[Content_Types].xml" for each in members):
        raise InvalidInput(f"{path} is an Excel workbook; save it as CSV")
    if len(members) != 1:
        names = ", ".join(each.filename for each in members[:3])
        raise InvalidInput(f"{path} holds {len(members)} files ({names}); a zip file must hold one table")
    if members[0].flag_bits & 1:
        raise InvalidInput(f"{path} is encrypted; unpack it first")

    def opened() -> IO[bytes]:
        archive = zipfile.ZipFile(path)
        try:
            member = archive.open(members[0].filename)
        except (NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
            archive.close()
            raise InvalidInput(f"{path} cannot be unpacked ({error}); unpack it first") from None
        archive.close()  # the file stays open as long as its member
        return member

    return opened


def _hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1].startswith("."))


def _zstd(path: Path) -> IO[bytes]:
    try:
        import zstandard
    except ImportError:
        raise InvalidInput(f"{path} is compressed with zstd, and zstandard is not installed; unpack it first") from None
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return unpacker.stream_reader(path.open("rb"), read_across_frames=True, closefd=True)


class _Xz(io.RawIOBase):
    """An xz stream with a limit on the decompressor's memory; lzma.open has none."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(memlimit=MAX_WINDOW)
        self._at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        while not self._at_end:
            unpacker = self._unpacker
            if unpacker.eof:
                rest = (unpacker.unused_data + self._file.read(READ_CHUNK)).lstrip(b"\0")
                if not rest:
                    break
                self._unpacker = unpacker = lzma.LZMADecompressor(memlimit=MAX_WINDOW)
                data = unpacker.decompress(rest, len(target))
            elif unpacker.needs_input:
                chunk = self._file.read(READ_CHUNK)
                if not chunk:
                    raise EOFError("the file ends in the middle")
                data = unpacker.decompress(chunk, len(target))
            else:
                data = unpacker.decompress(b"", len(target))
            if data:
                target[: len(data)] = data
                return len(data)
        self._at_end = True
        return 0

    def close(self) -> None:
        self._file.close()
        super().close()


class _Bounded(io.RawIOBase):
    """Counts the bytes read. Raises InvalidInput if there are too many, or if they cannot be unpacked."""

    def __init__(self, path: Path, source: IO[bytes], packed: int | None) -> None:
        self._path = path
        self._source = source
        self._packed = packed
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._source.read(len(target))
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError) as error:
            raise InvalidInput(f"{self._path} cannot be read or unpacked ({error}); is it complete?") from None
        except Exception as error:  # zstandard's own class, which exists only if it is installed
            if type(error).__module__.partition(".")[0] != "zstandard":
                raise
            raise InvalidInput(f"{self._path} cannot be unpacked ({error}); is it complete?") from None
        self._read += len(data)
        if self._read > MAX_BYTES:
            raise InvalidInput(
                f"{self._path} has more than {MAX_BYTES // MIB} MiB of text; use a part of it, or Parquet"
            )
        if self._packed is not None and self._read > max(FREE_BYTES, MAX_RATIO * self._packed):
            raise InvalidInput(f"{self._path} unpacks to more than {MAX_RATIO} times its size; unpack it first")
        target[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._source.close()
        super().close()


def _bounded(path: Path, source: IO[bytes], packed: int | None) -> IO[bytes]:
    return io.BufferedReader(_Bounded(path, source, packed), READ_CHUNK)
