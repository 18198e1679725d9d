"""The payload of a quarantined message as a person can read it: as text, or as bytes. Pure.

At most MAX_SHOWN bytes are shown, and the fault is among them. Whatever cannot be seen is written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zelador.decode.fault import fault_in
from zelador.decode.json_reader import TOO_LARGE
from zelador.quarantine import QuarantinedMessage

ROW = 16  # bytes in a row
MAX_SHOWN = 4_096  # bytes
BEFORE = 1_024  # bytes that are shown before a fault that is far from the beginning

Form = Literal["text", "bytes"]


@dataclass(frozen=True, slots=True)
class Marked:
    """A text in three parts; the fault is in the middle, which may be empty."""

    before: str
    fault: str
    after: str


@dataclass(frozen=True, slots=True)
class HexRow:
    offset: str
    digits: Marked
    text: Marked


@dataclass(frozen=True, slots=True)
class Payload:
    form: Form
    text: Marked
    rows: tuple[HexRow, ...]  # empty as text
    first: int  # offset of the first byte that is shown
    end: int  # and of the first that is not
    kept: int  # bytes that are stored
    has_fault: bool


def payload_of(message: QuarantinedMessage, form: Form | None) -> Payload:
    """`form`: as asked for; None: as text, if it is text."""
    data, fault = message.payload, _fault(message)
    begin, stop = fault or (0, 0)
    first = 0 if stop <= MAX_SHOWN else (begin - BEFORE) // ROW * ROW
    end = min(len(data), first + MAX_SHOWN)
    chosen = form or ("text" if is_text(data[first:end]) else "bytes")
    if chosen == "text":
        first, end = _whole(data, first), _whole(data, end)
        text = Marked(_shown(data[first:begin]), _shown(data[begin:stop]), _shown(data[max(first, stop) : end]))
        if fault is None:
            text = Marked(_shown(data[first:end]), "", "")
        return Payload(chosen, text, (), first, end, len(data), fault is not None)
    rows = tuple(_row(data[at : min(end, at + ROW)], at, begin, stop) for at in range(first, end, ROW))
    return Payload(chosen, Marked("", "", ""), rows, first, end, len(data), fault is not None)


def is_text(data: bytes) -> bool:
    """True for text without signs that cannot be seen. The last character may be cut."""
    text = data.decode("utf-8", "replace")
    return all(sign.isprintable() or sign in "\n\t\r" for sign in text) and "�" not in text[:-1]


def _fault(message: QuarantinedMessage) -> tuple[int, int] | None:
    is_unread = message.reason.startswith("not JSON") or TOO_LARGE in message.reason
    if message.kind != "refused" or not is_unread:
        return None
    return fault_in(message.payload, len(message.payload) == message.length)


def _row(data: bytes, at: int, begin: int, stop: int) -> HexRow:
    cut = [min(max(0, place - at), len(data)) for place in (begin, stop)]
    parts = data[: cut[0]], data[cut[0] : cut[1]], data[cut[1] :]
    digits = [part.hex(" ") for part in parts]
    missing = "   " * (ROW - len(data))
    before = digits[0] + (" " if digits[0] and (digits[1] or digits[2]) else "")
    after = (" " if digits[1] and digits[2] else "") + digits[2] + missing
    texts = ["".join(chr(byte) if 32 <= byte < 127 else "." for byte in part) for part in parts]
    return HexRow(f"{at:04x}", Marked(before, digits[1], after), Marked(*texts))


def _shown(data: bytes) -> str:
    """Returns bytes as text, with what is not text or cannot be seen written out."""
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return "".join(_sign(sign) for sign in text)


def _sign(sign: str) -> str:
    if sign == "\n":
        return "↵\n"  # a page drops empty lines
    return sign if sign.isprintable() or sign == "\t" else f"\\u{ord(sign):04x}"


def _whole(data: bytes, at: int) -> int:
    """Returns the beginning of the character at a byte, if that is near."""
    for back in range(4):
        if at - back <= 0 or at >= len(data) or data[at - back] & 0xC0 != 0x80:
            return max(0, at - back)
    return at
