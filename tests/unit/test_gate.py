"""The gate tells MQTT 5 from 3.1.1 by the CONNECT packet, however it is cut, and anything else apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelador.embedded.gate import protocol_level


def connect(level: int, rest: int = 10) -> bytes:
    body = b"\x00\x04MQTT" + bytes([level]) + b"\x02\x00\x3c" + b"x" * rest
    length = len(body)
    remaining = bytes([length]) if length < 128 else bytes([length % 128 | 0x80, length // 128])
    return b"\x10" + remaining + body


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("rest", [10, 500])
def test_the_level_is_found_as_soon_as_it_is_there_and_not_before(level: int, rest: int) -> None:
    packet = connect(level, rest)
    seen = [protocol_level(packet[:cut]) for cut in range(len(packet) + 1)]
    first = seen.index(level)
    assert seen[:first] == [None] * first
    assert set(seen[first:]) == {level}


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1", b"\x30\x00", b"\x10\xff\xff\xff\xff\xff", b"\x10\x20\x00\x40HELLO"]
)
def test_what_is_no_connect_packet_is_refused(start: bytes) -> None:
    with pytest.raises(ValueError, match=r"MQTT|CONNECT|length"):
        protocol_level(start)


@given(st.binary(max_size=40))
def test_any_bytes_give_an_answer(start: bytes) -> None:
    try:
        level = protocol_level(start)
    except ValueError:
        return
    assert level is None or 0 <= level <= 255
