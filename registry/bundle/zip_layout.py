"""Checks the layout of a zip before zipfile reads it: it must be unambiguous and have few members.

zipfile creates an object for each entry of the central directory, accepts overlapping offsets, and supports methods,
encryption and extensions that no exported model uses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

END = struct.Struct("<4s4H2LH")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
MAX_NAME = 512  # bytes
MAX_EXTRA = 1_024  # bytes of extra fields: times and owners, as zip tools write them
STORED, DEFLATED = 0, 8
FLAGS = 0x080E  # UTF-8 names, sizes after the data, and the compression level
SIZES_BEHIND, UTF_8 = 0x0008, 0x0800
DESCRIPTORS = (12, 16)  # bytes, without and with a signature
REFUSED_EXTRAS = {0x0001: "sizes of 64 bits", 0x7075: "a second name", 0x6375: "a second comment"}


class OddLayout(ValueError):
    """The zip does not have the layout of an exported model; the message says why."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: bytes
    flags: int
    method: int
    packed: int
    offset: int


def check_layout(data: bytes, most_members: int) -> None:
    """Raises OddLayout unless the file consists only of adjacent members and then the directory."""
    if len(data) < END.size or data[-END.size :][:4] != b"PK\x05\x06":
        raise OddLayout("it does not end like a ZIP file, or has a comment or other bytes after its end")
    _, disk, first_disk, here, count, size, offset, comment = END.unpack(data[-END.size :])
    if disk or first_disk or here != count or comment:
        raise OddLayout("it is split into several parts")
    if not 0 < count <= most_members:
        raise OddLayout(f"it holds {count} files; a model has at most {most_members}")
    if offset + size != len(data) - END.size:
        raise OddLayout("its directory is not at its stated position")
    members = _members(data, offset, count)
    seen: set[str] = set()
    for member in members:
        name = _name(member)
        if name.casefold() in seen:
            raise OddLayout(f"it holds {name[:80]!r} twice, perhaps in different case")
        seen.add(name.casefold())
    end, behind = 0, False
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset != end and not (behind and member.offset - end in DESCRIPTORS):
            raise OddLayout("its files overlap, or have other bytes between them")
        end, behind = _end_of(data, member, offset), bool(member.flags & SIZES_BEHIND)
    if offset != end and not (behind and offset - end in DESCRIPTORS):
        raise OddLayout("it has other bytes before its directory")


def _members(data: bytes, at: int, count: int) -> list[_Member]:
    found, end = [], len(data) - END.size
    for _ in range(count):
        if at + CENTRAL.size > end:
            raise OddLayout("its directory is cut short")
        (magic, _made, _needs, flags, method, _time, _date, _crc, packed, unpacked, name, extra, comment, disk,
         _inner, _outer, offset) = CENTRAL.unpack_from(data, at)  # fmt: skip
        start = at + CENTRAL.size
        at = start + name + extra + comment
        if magic != b"PK\x01\x02" or at > end or disk or comment or extra > MAX_EXTRA or not 0 < name <= MAX_NAME:
            raise OddLayout("its directory is damaged, or has comments or long names")
        if flags & ~FLAGS:
            raise OddLayout("it is encrypted, or uses a feature that no exported model has")
        if method not in (STORED, DEFLATED):
            raise OddLayout(f"it uses the compression method {method}; only stored and deflate are accepted")
        if 0xFFFFFFFF in (packed, unpacked, offset):
            raise OddLayout("it has sizes of 64 bits")
        _check_extra(data[start + name : start + name + extra])
        found.append(_Member(data[start : start + name], flags, method, packed, offset))
    if at != end:
        raise OddLayout("its directory has other bytes in it")
    return found


def _check_extra(extra: bytes) -> None:
    while extra:
        if len(extra) < 4 or len(extra) < 4 + int.from_bytes(extra[2:4], "little"):
            raise OddLayout("its directory is damaged")
        kind, size = struct.unpack_from("<2H", extra)
        if kind in REFUSED_EXTRAS:
            raise OddLayout(f"it has {REFUSED_EXTRAS[kind]}")
        extra = extra[4 + size :]


def _name(member: _Member) -> str:
    try:
        name = member.name.decode("utf-8" if member.flags & UTF_8 else "ascii")
    except UnicodeDecodeError:
        raise OddLayout("it contains a name that is neither ASCII nor UTF-8") from None
    if not name.isprintable() or "\\" in name:
        raise OddLayout(f"it contains the invalid name {name[:80]!r}")
    return name


def _end_of(data: bytes, member: _Member, directory: int) -> int:
    """The end of the packed bytes. The header before them must match the directory."""
    at = member.offset
    if at + LOCAL.size > directory:
        raise OddLayout("a file is outside of it")
    magic, _needs, flags, method, _time, _date, _crc, packed, _unpacked, name, extra = LOCAL.unpack_from(data, at)
    start = at + LOCAL.size
    same = (flags, method, data[start : start + name]) == (member.flags, member.method, member.name)
    sized = packed == member.packed or (flags & SIZES_BEHIND and packed == 0)
    if magic != b"PK\x03\x04" or not same or not sized or extra > MAX_EXTRA:
        raise OddLayout("the header of a file in it does not match its directory")
    end = start + int(name) + int(extra) + member.packed
    if end > directory:
        raise OddLayout("a file is outside of it")
    return end
