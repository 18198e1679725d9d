"""Device messages that no device should send, through the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.malformed.generate import samples
from tests.malformed.test_decoder import judge


def run(seed: int, count: int) -> Iterator[tuple[bytes, Callable[[bytes], str]]]:
    """Yields each message with the function that judges it, which raises every exception of the decoder."""
    for sample in samples(seed, count):
        yield sample.payload, _judged


def _judged(payload: bytes) -> str:
    taken, _ = judge(payload)
    return "taken" if taken else "refused"
