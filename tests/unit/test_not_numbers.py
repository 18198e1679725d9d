"""NaN, infinities and the like: refused where a number is needed, passed over where nobody reads them."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelador.decode import Decoder, not_numbers
from zelador.settings import Settings

NOW = 1_795_514_400_000
TOPIC = "sensors/press-07/reading"
DECODER = Decoder(Settings())
TOKENS = ["NaN", "nan", "-nan", "NAN", "nan(ind)", "Infinity", "-Infinity", "inf", "-INF"]


@pytest.mark.parametrize("token", TOKENS)
def test_one_bad_element_of_an_array_is_refused_alone(token: str) -> None:
    good = '{"lux": 410, "temperature": 48, "vibration": 1.0, "note": "NaN"}'
    bad = '{"lux": 411, "temperature": %s, "vibration": 1.0}' % token  # noqa: UP031
    arrival, refused = DECODER.decode(TOPIC, f"[{good}, {bad}, {good}, {good}]".encode(), NOW)
    assert arrival is not None and len(arrival.readings) == 3
    assert refused == [(f"temperature is {token}, a finite number is needed", bad.encode())]


@pytest.mark.parametrize("token", TOKENS)
def test_in_an_unused_key_it_is_ignored(token: str) -> None:
    body = f'"lux": 410, "temperature": 48, "vibration": 1.0, "rssi": {token}, "more": [{token}, {{"x": {token}}}]'
    for payload in (f"{{{body}}}", f"[{{{body}}}]"):
        arrival, refused = DECODER.decode(TOPIC, payload.encode(), NOW)
        assert arrival is not None and refused == []


def test_as_label_id_or_number_it_counts_as_missing() -> None:
    body = b'{"lux": 410, "temperature": 48, "vibration": 1, "label": NaN, "id": nan, "seq": NaN}'
    arrival, _ = DECODER.decode(TOPIC, body, NOW)
    assert arrival is not None
    (reading,) = arrival.readings
    assert (reading.label, reading.seq) == (None, None)
    assert not_numbers.token(reading.id) is None and len(reading.id) == 32


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30), st.lists))
def test_only_tokens_outside_of_texts_are_replaced_and_all_can_be_restored(document: object) -> None:
    raw = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    changed = not_numbers.replaced(raw)
    if changed is not None:
        assert not_numbers.restored(changed) == raw
        json.loads(changed, parse_constant=lambda name: pytest.fail(name))
    else:
        json.loads(raw, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"nan", b"-", b"nan(", b"NaN,", b"i", b"+inf."])
def test_a_hostile_message_takes_linear_time(piece: bytes) -> None:
    def seconds(size: int) -> float:
        raw, begun = piece * (size // len(piece)), time.process_time()
        not_numbers.replaced(raw)
        return time.process_time() - begun

    seconds(1_000)
    assert seconds(1_000_000) < 100 * max(seconds(100_000), 0.01)  # squared, it would be minutes
