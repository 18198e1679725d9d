"""Encodes a batch for the `append` function. Pure except for the clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from zelador.buffer.entry import frame, packed_request
from zelador.buffer.keys import GROUP, Keys
from zelador.messages import Arrival, encode_json
from zelador.settings import Settings

LARGEST_SEQ = 2**53 - 1  # the largest integer that Lua represents exactly
TOGETHER = 100  # invalid elements of one array that are stored individually
BEGINNING = 65_536  # bytes stored of a payload that is too large to be accepted
MAX_KNOWN = 96  # bytes of device and id that are stored to detect repeats; for longer ones a digest is stored

_packed = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Refused:
    """A message, an element of an array or a reading that cannot be used, for the quarantine.

    `payload` is complete if it has `length` bytes. `heard` has device and sequence number of each reading, if these
    could be read. `count` is more than 1 if many invalid elements of one array are stored together. `features`
    names the values of a reading that was set aside; its payload is an Arrival as JSON.
    """

    topic: str
    reason: str
    payload: bytes
    length: int  # of the whole payload, bytes
    digest: str  # SHA-256 of the whole payload
    received_at: int  # milliseconds since 1970 UTC
    heard: tuple[tuple[str, int], ...] = ()
    features: str = ""
    count: int = 1

    @classmethod
    def of(
        cls,
        topic: str,
        reason: str,
        payload: bytes,
        received_at: int,
        *,
        most: int,
        heard: tuple[tuple[str, int], ...] = (),
        features: str = "",
        count: int = 1,
    ) -> Refused:
        """Stores the payload up to `most` bytes, else only its beginning: it could never be accepted."""
        digest = hashlib.sha256(payload).hexdigest()
        kept = payload if len(payload) <= most else payload[: min(most, BEGINNING)]
        return cls(topic, reason, kept, len(payload), digest, received_at, heard, features, count)


def refusals(
    topic: str,
    bad: Sequence[tuple[str, bytes]],
    received_at: int,
    most: int,
    heard: Callable[[str, bytes], tuple[str, int] | None] = lambda _topic, _payload: None,
) -> list[Refused]:
    """The refused parts of one message (reason, bytes), individually; more than TOGETHER elements as one array.

    Otherwise one invalid message could fill the whole quarantine.
    """
    sequences = [heard(topic, payload) for _, payload in bad]
    if len(bad) <= TOGETHER:
        return [
            Refused.of(topic, reason, payload, received_at, most=most, heard=() if one is None else (one,))
            for (reason, payload), one in zip(bad, sequences, strict=True)
        ]
    reason = f"{len(bad)} elements of an array; the first: {bad[0][0]}"
    together = b"[" + b",".join([payload for _, payload in bad]) + b"]"
    numbered = tuple(one for one in sequences if one is not None)
    return [Refused.of(topic, reason, together, received_at, most=most, heard=numbered, count=len(bad))]


def quarantine_bounds(settings: Settings) -> tuple[int, int, int]:
    redis = settings.redis
    return redis.keep_quarantine, redis.keep_quarantine_bytes, redis.keep_quarantine_s


def around_device(settings: Settings) -> tuple[str, str]:
    """The text before and after the device's name in the topic of a reading."""
    before, _, after = settings.topics.reading.partition("{device_id}")
    return before, after


def append_arguments(
    settings: Settings,
    writer: str,
    token: str,
    now: int,
    arrivals: Sequence[Arrival],
    refused: Sequence[Refused],
    anew: Callable[[str, int], int],
    replaces: str = "",
) -> tuple[list[str], list[Any]]:
    """Keys and arguments of `append`, as described in lua/append.lua.

    `anew` returns 1 for a device whose time of last message must be updated. A batch that replaces a quarantined
    message has no sequence numbers: they were counted when the message arrived.
    """
    redis, keys = settings.redis, Keys(settings.redis.prefix)
    messages: list[str | int] = []  # texts: Redis's MessagePack knows no bytes
    heard: dict[str, int] = {}
    numbers: dict[str, list[int]] = {}
    requests: list[int | bytes] = []
    place = 0
    for number, asked in enumerate(arrivals, 1):
        arrival = asked
        if asked.response_topic is not None:
            arrival = msgspec.structs.replace(asked, response_topic=None, correlation=None)
            requests += (number, packed_request(asked))
        device, readings = arrival.device_id, arrival.readings
        heard[device] = heard.get(device, 0) + len(readings)
        if len(readings) == 1:
            messages += (_known(device, readings[0].id), encode_json(arrival).decode())
        else:
            messages += ("", len(readings), *frame(arrival))
            for reading in readings:
                messages += (_known(device, reading.id), encode_json(reading).decode())
        for reading in readings:
            place += 1
            if reading.seq is not None and 0 <= reading.seq <= LARGEST_SEQ:
                numbers.setdefault(device, []).extend((place, reading.seq))
    for item in refused:
        for device, seq in item.heard:
            if 0 <= seq <= LARGEST_SEQ:
                heard.setdefault(device, 0)
                numbers.setdefault(device, []).extend((0, seq))
    if replaces:
        numbers = {}
    bounds = quarantine_bounds(settings)
    arguments: list[Any] = [GROUP, redis.repeat_window, redis.keep_readings, *bounds, redis.keep_devices_s, now]
    arguments += (",".join(settings.features), writer, token, redis.pack, replaces)
    arguments += (redis.keep_bytes, redis.keep_devices, *around_device(settings), _packed(messages))
    arguments += (len(requests) // 2, *requests)
    arguments.append(len(refused))
    for item in refused:
        arguments += (item.count, item.topic, item.reason, item.payload, item.length, item.digest, item.received_at)
    arguments.append(len(heard))
    for device, count in heard.items():
        told = numbers.get(device)
        arguments += (device, count, anew(device, now), _packed(told) if told else "")
    names = [keys.readings, keys.quarantine, keys.ledger, *keys.seen, keys.devices, keys.marks, keys.missing]
    names.append(keys.requests)
    return names + [keys.device(device) for device in heard], arguments


def _known(device: str, reading: str) -> str:
    """The key that identifies a repeat. Long ids are hashed: they would need ten times the memory of usual ones."""
    known = f"{device}\x1f{reading}"
    if len(known) * (1 if known.isascii() else 4) <= MAX_KNOWN:
        return known
    return "\x1f" + hashlib.blake2b(known.encode(), digest_size=16).hexdigest()  # no device's name is empty
