"""One rule says which values are accepted: in live messages, on topics of one value, in tables and in requests."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.model.rows import rows_of
from zelador.decode import Decoder
from zelador.errors import InvalidInput
from zelador.link.message import Message
from zelador.ranges import MAX_VALUE, Ranges, limits
from zelador.settings import FieldSettings, Settings

NOW = 1_795_514_400_000
BEYOND = ", outside -3.40282e+38 to 3.40282e+38, the numbers that models compute with"
ENDS = {
    "free": {}, "above": {"minimum": 0.0}, "below": {"maximum": 10.0, "unit": "bar"}, "huge": {"maximum": 1e39},
    "scaled": {"scale": 2.0},
}  # fmt: skip


def settings(feature: str) -> Settings:
    return Settings(features=(feature,), fields={feature: ENDS[feature]})


def live(feature: str, value: float) -> str | None:
    raw = json.dumps({feature: value / ENDS[feature].get("scale", 1.0)}).encode()
    arrival, refused = Decoder(settings(feature)).decode("sensors/press/reading", raw, NOW)
    return None if arrival else refused[0][0]


@given(st.sampled_from([*ENDS]), st.floats(allow_nan=False, allow_infinity=False))
@example("free", MAX_VALUE)
@example("free", math.nextafter(MAX_VALUE, math.inf))
@example("scaled", 1e39)
@example("below", math.nextafter(10.0, 11.0))
@example("huge", -1e39)
def test_live_readings_and_tables_are_judged_alike(feature: str, value: float) -> None:
    """A feature without a range once accepted 1e39 from a device, which single precision cannot hold."""
    objection = Ranges.of(settings(feature), (feature,)).complete_objection((value,))
    assert live(feature, value) == objection
    low, high = limits(FieldSettings(**ENDS[feature]))
    assert (objection is None) == (low <= value <= high)
    if objection is None:
        struct.pack("f", value)  # raises OverflowError for what single precision cannot hold


@pytest.mark.parametrize(
    ("feature", "value", "says"),
    [
        ("free", 1e39, f"free is 1e+39{BEYOND}"),
        ("huge", 1e39, f"huge is 1e+39{BEYOND}"),
        ("above", -1.0, "above is -1, outside 0 to ∞"),
        ("below", 10.5, "below is 10.5 bar, outside −∞ to 10"),
        ("below", 10.0000001, "below is 10.0000001 bar, outside −∞ to 10"),
        ("below", -1e39, f"below is -1e+39 bar{BEYOND}"),
    ],
)
def test_the_reason_names_the_value_and_what_is_accepted(feature: str, value: float, says: str) -> None:
    assert live(feature, value) == says
    given = Settings(
        profiles=("one",), profile_tables={"one": {"topic": "one/{device_id}/{field}"}}, features=(feature,),
        fields={feature: ENDS[feature]},
    )  # fmt: skip
    assert Decoder(given).part(Message(f"one/press/{feature}", repr(value).encode(), NOW, 1, 7, 1, False)) == says


def test_a_request_without_settings_is_held_to_single_precision() -> None:
    assert rows_of([{"lux": MAX_VALUE}], ("lux",)).tolist() == [[MAX_VALUE]]
    with pytest.raises(InvalidInput, match=r"readings\[0\]: lux is 1e\+39, outside -3.40282e\+38 to"):
        rows_of([{"lux": 1e39}], ("lux",))
