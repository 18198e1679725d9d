"""What parent and child of the cage say to each other: a length, then MessagePack of one of these."""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

LENGTH = struct.Struct("=Q")


class CheckArchive(msgspec.Struct, tag=True):
    """Is this exported file a model that may be registered? `native`: bytes for a library's own parser are taken."""

    data: bytes
    most_bytes: int
    native: bool


class CheckModel(msgspec.Struct, tag=True):
    """Can these files of a registered model be loaded? `keep`: to be asked later, under its digest.

    `serving`: as a classifier, with its golden rows; else the bare pipeline.
    """

    manifest: bytes
    digest: str
    files: dict[str, bytes]
    serving: bool = True
    keep: bool = False


class Ask(msgspec.Struct, tag=True):
    """Rows (float64, one after the other) for a model that was kept."""

    digest: str
    rows: bytes


class Convert(msgspec.Struct, tag=True):
    """A pickle that its owner trusts, to be loaded and saved as a model of ours."""

    data: bytes
    name: str
    metadata: bytes  # JSON
    features: list[str]


class Ready(msgspec.Struct, tag=True):
    """The child's first word: its limits are in force. As confine.Confinement."""

    network: str
    files: str
    memory: bool


class Passed(msgspec.Struct, tag=True):
    """`left_out`: files of the archive that are not to be registered."""

    left_out: list[str] = []


class Refused(msgspec.Struct, tag=True):
    """`foreign`: it holds a type that cannot be kept."""

    reason: str
    foreign: bool = False


class Answered(msgspec.Struct, tag=True):
    """An index into the classes for each row; probabilities (float64, rows by classes) where the model has them."""

    indices: list[int]
    probabilities: bytes | None


class Converted(msgspec.Struct, tag=True):
    """The model as an exported file."""

    archive: bytes


Request = CheckArchive | CheckModel | Ask | Convert
Reply = Ready | Passed | Refused | Answered | Converted

encoder = msgspec.msgpack.Encoder()
requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def pack(message: Request | Reply) -> bytearray:
    """Length and message in one buffer: a model is copied once."""
    data = bytearray(LENGTH.size)
    encoder.encode_into(message, data, LENGTH.size)
    LENGTH.pack_into(data, 0, len(data) - LENGTH.size)
    return data


def read_request(stream: BinaryIO) -> Request | None:
    """The parent's next request; None when it has no more."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return requests.decode(stream.read(LENGTH.unpack(head)[0]))
