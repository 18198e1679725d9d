"""Encodes a lot for the `append` function. Pure except for the clock."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from zelador.buffer.entry import frame, packed_request
from zelador.buffer.keys import GROUP, Keys
from zelador.decode.one_value import Part
from zelador.messages import Arrival, Reading, encode_json
from zelador.settings import Settings

LARGEST_SEQ = 2**53 - 1  # the largest integer that Lua represents exactly
MAX_SINGLE = 100  # invalid elements of one array that are stored individually
STORED_BYTES = 65_536  # bytes stored of a payload that is too large to be accepted
MAX_WINDOWS = 10_000  # devices with one topic a value whose readings are incomplete at once
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
    profile: str = ""  # the device profile that read it; empty: default
    device: str = ""  # empty: by the topic
    retained: bool = False
    entry: str = ""  # of a reading that was set aside: "<entry> <place>" in the stream

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
        profile: str = "",
        device: str = "",
        retained: bool = False,
        entry: str = "",
    ) -> Refused:
        """Takes the whole payload up to `most` bytes, else only its beginning: a larger one could never be accepted."""
        digest = hashlib.sha256(payload).hexdigest()
        kept = payload if len(payload) <= most else payload[: min(most, STORED_BYTES)]
        return cls(
            topic,
            reason,
            kept,
            len(payload),
            digest,
            received_at,
            heard,
            features,
            count,
            profile,
            device,
            retained,
            entry,
        )


def refusals(
    topic: str,
    bad: Sequence[tuple[str, bytes]],
    received_at: int,
    most: int,
    heard: Callable[[str, bytes], tuple[str, int] | None] = lambda _topic, _payload: None,
    *,
    profile: str = "",
    device: str = "",
    retained: bool = False,
) -> list[Refused]:
    """The refused parts of one message (reason, bytes), individually; more than MAX_SINGLE elements as one array.

    Otherwise one invalid message could fill the whole quarantine.
    """
    sequences = [heard(topic, payload) for _, payload in bad]
    if len(bad) <= MAX_SINGLE:
        return [
            Refused.of(
                topic,
                reason,
                payload,
                received_at,
                most=most,
                heard=() if one is None else (one,),
                profile=profile,
                device=device,
                retained=retained,
            )
            for (reason, payload), one in zip(bad, sequences, strict=True)
        ]
    reason = f"{len(bad)} elements of an array; the first: {bad[0][0]}"
    together = b"[" + b",".join([payload for _, payload in bad]) + b"]"
    numbered = tuple(one for one in sequences if one is not None)
    return [
        Refused.of(
            topic,
            reason,
            together,
            received_at,
            most=most,
            heard=numbered,
            count=len(bad),
            profile=profile,
            device=device,
            retained=retained,
        )
    ]


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
    is_due: Callable[[str, int], int],
    replaces: str = "",
) -> tuple[list[str], list[Any]]:
    """Keys and arguments of `append`, as described in lua/append.lua.

    `is_due` returns 1 for a device whose time of last message must be updated. A batch that replaces a quarantined
    message has no sequence numbers: they were counted when the message arrived.
    """
    redis, keys = settings.redis, Keys(settings.redis.prefix)
    messages, groups, requests = _messages(arrivals, redis.pack)
    heard: dict[str, int] = {}
    numbers: dict[str, list[int]] = {}
    place = 0
    for arrival in arrivals:
        device = arrival.device_id
        heard[device] = heard.get(device, 0) + len(arrival.readings)
        for reading in arrival.readings:
            place += 1
            if reading.seq is not None and 0 <= reading.seq <= LARGEST_SEQ:
                if device in numbers:
                    numbers[device] += (place, reading.seq)
                else:
                    numbers[device] = [place, reading.seq]
    for item in refused:
        for device, seq in item.heard:
            if 0 <= seq <= LARGEST_SEQ:
                heard.setdefault(device, 0)
                numbers.setdefault(device, []).extend((0, seq))
    if replaces:
        numbers = {}
    bounds = quarantine_bounds(settings)
    known = redis.repeat_window * (1 + settings.ingest.unique_ids)  # with unique ids, each id is stored as well
    arguments: list[Any] = [GROUP, known, redis.keep_readings, *bounds, redis.keep_devices_s, now]
    arguments += (",".join(settings.features), writer, token, redis.pack, replaces)
    arguments += (redis.keep_bytes, redis.keep_devices, *around_device(settings))
    arguments += (_not_unique(settings, arrivals) if settings.ingest.unique_ids else "", _packed(messages))
    arguments += (len(requests) // 2, *requests)
    arguments += (len(groups), *groups)
    arguments.append(len(refused))
    for item in refused:
        arguments += (item.count, item.topic, item.reason, item.payload, item.length, item.digest, item.received_at)
        arguments += (item.profile, item.device, 1 if item.retained else "")
    arguments.append(len(heard))
    for device, count in heard.items():
        sequence = numbers.get(device)
        arguments += (device, count, is_due(device, now), _packed(sequence) if sequence else "")
    names = [keys.readings, keys.quarantine, keys.ledger, *keys.seen, keys.devices, keys.marks, keys.missing]
    names += [keys.requests, keys.repeating, *keys.late_labels]
    return names + [keys.device(device) for device in heard], arguments


def _messages(arrivals: Sequence[Arrival], pack: int) -> tuple[list[str | int], list[bytes], list[int | bytes]]:
    """The messages as lua/append.lua expects them, the JSON of groups of one-reading messages, and the requests."""
    messages: list[str | int] = []  # text, because MessagePack in Redis has no bytes
    groups: list[bytes] = []
    requests: list[int | bytes] = []
    known: list[str | int] = []  # of the current group
    bodies: list[bytes] = []

    def close() -> None:
        messages.extend((0, len(bodies), *known))
        groups.append(b"[" + b",".join(bodies) + b"]")
        known.clear()
        bodies.clear()

    for number, asked in enumerate(arrivals, 1):
        arrival = asked
        if asked.response_topic is not None:
            arrival = msgspec.structs.replace(asked, response_topic=None, correlation=None)
            requests += (number, packed_request(asked))
        device, readings = arrival.device_id, arrival.readings
        if len(readings) == 1:
            body = encode_json(arrival)
            known += (known_by(device, readings[0]), len(body))
            bodies.append(body)
            if len(bodies) >= pack:
                close()
            continue
        if bodies:
            close()
        messages += ("", len(readings), *frame(arrival))
        for reading in readings:
            messages += (known_by(device, reading), encode_json(reading).decode())
    if bodies:
        close()
    return messages, groups, requests


def assemble_arguments(
    settings: Settings, writer: str, token: str, now: int, parts: Sequence[Part]
) -> tuple[list[str], list[Any]]:
    """Keys and arguments of `assemble`, as described in lua/assemble.lua."""
    names, arguments = append_arguments(settings, writer, token, now, [], [], lambda _device, _now: 1)
    keys = Keys(settings.redis.prefix)
    flat: list[str | int] = []
    for part in parts:
        flat += (f"{part.profile}/{part.device}", part.device, part.profile, part.feature, repr(part.value))
        flat += (
            part.received_at,
            int(part.window_s * 1000),
            uuid.uuid4().hex,
            part.packet_id,
            int(part.again),
            part.digest,
        )
    fixed = arguments[:17]
    return [*names, keys.windows, keys.parts_seen(writer)], [*fixed, "", MAX_WINDOWS, _packed(flat)]


def known_by(device: str, reading: Reading) -> str:
    """The key that identifies a repeat: id and content. A long id is hashed: it would need too much memory."""
    known = f"{device}\x1f{reading.id}"
    if len(known) * (1 if known.isascii() else 4) > MAX_KNOWN:
        known = "\x1f" + hashlib.blake2b(known.encode(), digest_size=16).hexdigest()  # no device's name is empty
    return f"{known}\x1f{reading.content}" if reading.content else known


def _not_unique(settings: Settings, arrivals: Sequence[Arrival]) -> bytes:
    """The data to quarantine, for each reading, if its id came before with other content (for lua/append.lua)."""
    found: list[str | int] = []
    for arrival in arrivals:
        bare = msgspec.structs.replace(arrival, response_topic=None, correlation=None)
        topic = settings.topics.reading.replace("{device_id}", arrival.device_id)
        for reading in arrival.readings:
            payload = encode_json(msgspec.structs.replace(bare, readings=(reading,)))
            reason = f"the id {reading.id!r} came before, with other content (ZELADOR_INGEST__UNIQUE_IDS)"
            found += (topic, reason, payload.decode(), hashlib.sha256(payload).hexdigest(), arrival.received_at)
    return _packed(found)
