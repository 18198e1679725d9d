"""The encoding of a text file: byte order marks, UTF-8, UTF-16 without a mark, and what Windows writes."""

from __future__ import annotations

import codecs
from pathlib import Path

from zelador.errors import InvalidInput
from zelador.table.unpack import READ_CHUNK, Opener

MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE_BYTES = 4_096
NOT_IN_CP1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))
NOT_IN_TEXT = bytes(each for each in range(32) if each not in b"\t\n\r\f\v\x1a\x1b")


def encoding_of(path: Path, opened: Opener) -> str:
    """The name of the encoding. Raises InvalidInput for a file that is not text."""
    with opened() as file:
        sample = file.read(SAMPLE_BYTES)
        for mark, name in MARKS:
            if sample.startswith(mark):
                return name
        if b"\0" in sample.rstrip(b"\0"):
            return _wide(path, sample)
        sample = sample.rstrip(b"\0")  # a logger that lost power ends in zeros
        if sum(map(sample.count, (bytes((each,)) for each in NOT_IN_TEXT))) > len(sample) // 50:
            raise _no_text(path)
        decoder = codecs.getincrementaldecoder("utf-8")()
        is_utf8, is_cp1252, chunk = True, True, sample
        while chunk:
            if is_utf8:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
            is_cp1252 = is_cp1252 and not any(each in chunk for each in NOT_IN_CP1252)
            if not is_utf8 and not is_cp1252:
                return "latin-1"
            chunk = file.read(READ_CHUNK)
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
            return "utf-8"
        except UnicodeDecodeError:
            pass
    return "cp1252" if is_cp1252 else "latin-1"


def _wide(path: Path, sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of ordinary text is 0."""
    zeros_even, zeros_odd = sample[::2].count(0), sample[1::2].count(0)
    if zeros_odd > len(sample) // 4 and not zeros_even:
        return "utf-16-le"
    if zeros_even > len(sample) // 4 and not zeros_odd:
        return "utf-16-be"
    raise _no_text(path)


def _no_text(path: Path) -> InvalidInput:
    return InvalidInput(f"{path} is not a table in text form; name a CSV, JSON lines, Parquet or Arrow file")
