"""The codec of a stream entry: messages that arrived together, as Redis stores them. Pure.

An entry has a field named by the features, separated by commas. It holds the messages: a JSON array of Arrival. `#` is
the number of its readings if there is more than one, `?` the number of its requests, whose bytes are stored elsewhere,
and `!` says that its only reading was set aside before. lua/append.lua puts the JSON together and leaves out repeats;
lua/waiting.lua writes the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from zelador.messages import Arrival, encode_json
from zelador.undecodable import UNDECODABLE

_arrivals = msgspec.json.Decoder(tuple[Arrival, ...]).decode
_packed = msgspec.msgpack.Encoder().encode
_unpacked: Callable[[bytes], list[Any]] = msgspec.msgpack.Decoder(list[Any]).decode


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored entry. `features` names the readings' values; `arrivals` is None if the messages cannot be decoded."""

    features: tuple[str, ...]
    arrivals: tuple[Arrival, ...] | None
    raw: bytes  # the messages as stored
    count: int  # readings
    asked: bool  # contains requests
    replayed: str | None = None  # where the reading was that was set aside: "<entry> <place>", or "" if not known


def decode_entry(flat: Sequence[bytes]) -> Entry:
    """Decodes the flat list field, value, field, value …, which has at least one field."""
    raw = flat[1]
    count = int(flat[3]) if len(flat) > 2 else 1
    if len(flat) <= 4:
        return Entry(_names(flat[0]), decode_arrivals(raw), raw, count, False)
    further = dict(zip(flat[4::2], flat[5::2], strict=True))
    replayed = further[b"!"].decode() if b"!" in further else None
    return Entry(_names(flat[0]), decode_arrivals(raw), raw, count, b"?" in further, replayed)


def decode_fields(fields: Mapping[bytes, bytes]) -> Entry:
    """Decodes an entry like `decode_entry`, from fields in a dict."""
    return decode_entry([part for pair in fields.items() for part in pair])


def decode_arrivals(raw: bytes) -> tuple[Arrival, ...] | None:
    try:
        return _arrivals(raw)
    except UNDECODABLE:
        return None


def order_of(stream_id: str) -> tuple[int, int]:
    """A stream id as (ms, seq), which sorts in stream order."""
    ms, _, seq = stream_id.partition("-")
    return int(ms), int(seq)


@lru_cache(maxsize=64)
def _names(features: bytes) -> tuple[str, ...]:
    return tuple(features.decode(errors="replace").split(","))


def frame(arrival: Arrival) -> tuple[str, str]:
    """The message's JSON before and after its readings, from which lua/append.lua leaves out repeats."""
    head, between, tail = encode_json(msgspec.structs.replace(arrival, readings=())).decode().partition('"readings":[]')
    return head + between[:-1], between[-1:] + tail  # inside a text, quotation marks would be escaped


def packed_request(arrival: Arrival) -> bytes:
    """The data that the answer to a request needs, stored until the answer is settled."""
    correlation = bytes.fromhex(arrival.correlation) if arrival.correlation else None
    return _packed((arrival.response_topic, correlation))


def with_requests(arrivals: tuple[Arrival, ...], requests: bytes) -> tuple[Arrival, ...]:
    """The messages of an entry, with the requests stored for it: position, request, position, request …"""
    found, answered = _unpacked(requests), list(arrivals)
    for place, (topic, correlation) in zip(found[::2], found[1::2], strict=True):
        as_hex = None if correlation is None else correlation.hex()
        answered[place] = msgspec.structs.replace(answered[place], response_topic=topic, correlation=as_hex)
    return tuple(answered)
