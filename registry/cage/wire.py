"""The messages between the cage's parent and child: a length, then one of these structs as MessagePack."""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

LENGTH = struct.Struct("=Q")


class CheckArchive(msgspec.Struct, tag=True):
    """Request to check an exported file for registration. `native`: accept bytes for a library's own parser."""

    data: bytes
    most_bytes: int
    native: bool


class CheckModel(msgspec.Struct, tag=True):
    """Request to load the files of a registered model. `keep`: keep it loaded for later requests, by its digest.

    `serving`: as a classifier, with its golden rows; else only the pipeline.
    """

    manifest: bytes
    digest: str
    files: dict[str, bytes]
    serving: bool = True
    keep: bool = False


class Ask(msgspec.Struct, tag=True):
    """Request to classify rows (float64, concatenated) with a loaded model."""

    digest: str
    rows: bytes


class Convert(msgspec.Struct, tag=True):
    """Request to load trusted pickles, by file name, and save the model that they make as an exported model."""

    files: dict[str, bytes]
    name: str
    metadata: bytes  # JSON
    features: list[str]
    classes: list[str]
    optional: bool = False  # files without a model may belong to another one


class Ready(msgspec.Struct, tag=True):
    """The child's first message: its limits are enforced. The same fields as confine.Confinement."""

    network: str
    files: str
    memory: bool


class Passed(msgspec.Struct, tag=True):
    """The file may be registered. `left_out`: files of the archive that must not be."""

    left_out: list[str] = []


class Refused(msgspec.Struct, tag=True):
    """The request is refused. `foreign`: because of a type that cannot be saved."""

    reason: str
    foreign: bool = False


class Answered(msgspec.Struct, tag=True):
    """The answers: a class index for each row, and probabilities (float64, rows by classes) if the model has them."""

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
    """Length and message in one buffer, so that a model is copied only once."""
    data = bytearray(LENGTH.size)
    encoder.encode_into(message, data, LENGTH.size)
    LENGTH.pack_into(data, 0, len(data) - LENGTH.size)
    return data


def read_request(stream: BinaryIO) -> Request | None:
    """The parent's next request; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return requests.decode(stream.read(LENGTH.unpack(head)[0]))
