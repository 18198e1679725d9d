"""Generates payloads from a seed: good readings, the corpus, and mutations of both."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

from tests.malformed.corpus import GOOD, Sample, corpus, ten_megabytes

LARGE = 4_096  # bytes; larger ones of the corpus are rare
LARGE_EVERY = 400
TEN_MEGABYTES_EVERY = 5_000


def samples(seed: int, count: int) -> Iterator[Sample]:
    """Yields payloads. Some ids occur twice on purpose: the same payload again is a repeat, and must count as one."""
    chance = random.Random(seed)
    small = [sample for sample in corpus() if len(sample.payload) <= LARGE]
    large = [sample for sample in corpus() if len(sample.payload) > LARGE]
    huge = ten_megabytes()
    for number in range(count):
        if number % TEN_MEGABYTES_EVERY == TEN_MEGABYTES_EVERY - 1:
            yield huge[number // TEN_MEGABYTES_EVERY % len(huge)]
        elif number % LARGE_EVERY == LARGE_EVERY - 1:
            yield large[number // LARGE_EVERY % len(large)]
        elif (draw := chance.random()) < 0.15:
            yield Sample("good", good(number), 1, 0)
        elif draw < 0.45:
            yield chance.choice(small)
        elif draw < 0.8:
            yield Sample("mutated", mutated(chance, [sample.payload for sample in chance.sample(small, 2)], number))
        elif draw < 0.9:
            yield Sample("random JSON", json.dumps(random_json(chance, 0)).encode())
        else:
            yield Sample("binary", chance.randbytes(chance.randrange(200)))


def good(number: int) -> bytes:
    return json.dumps({**GOOD, "lux": number % 1_000, "id": f"g-{number}", "seq": number}).encode()


def mutated(chance: random.Random, others: list[bytes], number: int) -> bytes:
    """A good message with one to three mutations."""
    payload = good(number)
    for _ in range(chance.randint(1, 3)):
        payload = chance.choice(WAYS)(chance, payload, chance.choice(others))
    return payload


def _truncate(chance: random.Random, payload: bytes, _other: bytes) -> bytes:
    return payload[: chance.randrange(len(payload) + 1)]


def _flip_a_bit(chance: random.Random, payload: bytes, _other: bytes) -> bytes:
    if not payload:
        return payload
    at = chance.randrange(len(payload))
    return payload[:at] + bytes([payload[at] ^ 1 << chance.randrange(8)]) + payload[at + 1 :]


def _splice(chance: random.Random, payload: bytes, other: bytes) -> bytes:
    return payload[: chance.randrange(len(payload) + 1)] + other[chance.randrange(len(other) + 1) :]


def _insert(chance: random.Random, payload: bytes, _other: bytes) -> bytes:
    at = chance.randrange(len(payload) + 1)
    return payload[:at] + chance.choice(PIECES) + payload[at:]


def _wrap(chance: random.Random, payload: bytes, other: bytes) -> bytes:
    return b"[" + b",".join(chance.choice((payload, other, b"0")) for _ in range(chance.randint(1, 4))) + b"]"


PIECES = (
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b'"',
    b"\\",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"1e999",
    b"NaN",
    b"-",
    b"9" * 30,
    b'"ts":5,',
)
WAYS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (_truncate, _flip_a_bit, _splice, _insert, _wrap)
NAMES = (*GOOD, "ts", "seq", "id", "label", "x", "")
SCALARS: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    2**63,
    2**200,
    1.5,
    1e300,
    -0.0,
    "",
    "x",
    "2026-11-24",
    "é",
    "\0",
    "\ud800",
)


def random_json(chance: random.Random, depth: int) -> object:
    kind = chance.random()
    if depth > 4 or kind < 0.4:
        return chance.choice(SCALARS)
    if kind < 0.6:
        return [random_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    found: dict[str, object] = dict(GOOD) if chance.random() < 0.5 else {}
    for _ in range(chance.randrange(4)):
        found[chance.choice(NAMES)] = random_json(chance, depth + 1)
    return found


def topic(template: str, number: int) -> str:
    """A topic of one of fifty devices; sometimes with a name that no device may have."""
    if number % 1_000 == 999:
        return template.format(device_id=UNNAMEABLE[number // 1_000 % len(UNNAMEABLE)])
    return template.format(device_id=f"device-{number % 50}")


UNNAMEABLE = ("x" * 129, "x" * 60_000, "a\u202eb", "a\u200bb", "\ue000")
