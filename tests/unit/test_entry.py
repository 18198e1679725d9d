"""The codec of a stream entry: what is stored is read back, and what cannot be read is named as such."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zelador.buffer.entry import decode_entry, decode_fields, frame, packed_request, with_requests
from zelador.clock import now_iso, now_ms
from zelador.messages import Arrival, Reading, encode_json, iso

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
readings = st.builds(
    Reading,
    id=TEXT,
    values=st.tuples(st.floats(allow_nan=False, allow_infinity=False)),
    measured_at=st.integers(0, 2**45),
    label=st.none() | TEXT,
    seq=st.none() | st.integers(0, 2**53),
)
arrivals = st.builds(
    Arrival,
    device_id=TEXT,
    readings=st.lists(readings, min_size=1, max_size=4).map(tuple),
    received_at=st.integers(0, 2**45),
    array=st.booleans(),
)


@given(st.lists(arrivals, min_size=1, max_size=3))
def test_an_entry_is_read_back(messages: list[Arrival]) -> None:
    raw, count = encode_json(messages), sum(len(arrival.readings) for arrival in messages)
    found = decode_entry([b"lux", raw, b"#", str(count).encode()])
    assert (found.features, found.arrivals, found.raw, found.count) == (("lux",), tuple(messages), raw, count)
    assert not found.asked
    assert decode_fields({b"lux": raw, b"#": b"%d" % count, b"?": b"1"}).asked


@given(arrivals)
def test_a_frame_holds_the_readings_of_its_message(arrival: Arrival) -> None:
    head, tail = frame(arrival)
    assert (head + ",".join(encode_json(each).decode() for each in arrival.readings) + tail).encode() == encode_json(
        arrival
    )


@given(arrivals, TEXT, st.none() | st.binary(min_size=1, max_size=8))
def test_a_request_returns_to_its_message(arrival: Arrival, topic: str, correlation: bytes | None) -> None:
    asked = Arrival(
        arrival.device_id,
        arrival.readings,
        arrival.received_at,
        arrival.array,
        topic,
        None if correlation is None else correlation.hex(),
    )
    stored = b"\x92\x01" + packed_request(
        asked
    )  # the position of the message among those of the entry, and its request
    assert with_requests((arrival, arrival), stored) == (arrival, asked)


@given(st.binary(max_size=60))
def test_an_entry_of_other_bytes_has_no_messages_or_is_whole(raw: bytes) -> None:
    found = decode_entry([b"lux,\xff", raw])
    assert found.raw == raw
    assert found.features == ("lux", "\ufffd")
    assert found.arrivals is None or isinstance(found.arrivals, tuple)


def test_an_entry_nested_too_deeply_is_not_decoded() -> None:
    raw = b'[{"device_id":"d","received_at":1,"readings":[],"other":' + b"[" * 200_000 + b"]" * 200_000 + b"}]"
    assert decode_fields({b"lux": raw}).arrivals is None


def test_both_forms_of_the_present_time_agree() -> None:
    before, text, after = now_ms(), now_iso(), now_ms()
    assert iso(before) <= text <= iso(after)
    assert now_iso(60.0) > iso(now_ms() + 1_000)
