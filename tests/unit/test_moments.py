"""Times as devices send them: what is a time, and whose clock is wrong."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zelador.decode import Decoder
from zelador.errors import InvalidInput
from zelador.messages import iso
from zelador.settings import Settings, load_settings
from zelador.settings.workers import MAX_SPAN_S

NOW = int(datetime(2026, 11, 24, 10, tzinfo=timezone.utc).timestamp() * 1000)
TOPIC = "sensors/press-07/reading"
GOOD = {"lux": 120.5, "temperature": 21.25, "vibration": 0.125}
HOUR = 3_600_000
UTC = Decoder(Settings())
BERLIN = Decoder(Settings(time_zone="Europe/Berlin"))


def measured(decoder: Decoder, ts: object) -> int:
    arrival, refused = decoder.decode(TOPIC, json.dumps({**GOOD, "ts": ts}).encode(), NOW)
    assert arrival is not None, refused
    return arrival.readings[0].measured_at


def reason(ts: object, decoder: Decoder = UTC) -> str:
    arrival, refused = decoder.decode(TOPIC, json.dumps({**GOOD, "ts": ts}).encode(), NOW)
    assert arrival is None
    return refused[0][0]


@pytest.mark.parametrize(
    "ts",
    [
        "2026-11-24T09:00:00Z",
        "2026-11-24 09:00:00",
        "2026-11-24T09:00:00.000000000Z",
        "2026-11-24T10:00:00+01:00",
        "20261124T090000Z",
        "2026-11-24 09:00:00 UTC",
        "2026/11/24 09:00:00",
        "Tue, 24 Nov 2026 09:00:00 GMT",
        "24 Nov 2026 09:00:00 UTC",
        NOW // 1000 - 3600,
        NOW / 1000 - 3600,
        NOW - HOUR,
        (NOW - HOUR) * 1_000,
        (NOW - HOUR) * 1_000_000,
        float((NOW - HOUR) * 1_000_000),
        str(NOW // 1000 - 3600),
        str(NOW - HOUR),
        f"{NOW // 1000 - 3600}.000",
        str((NOW - HOUR) * 1_000_000),
    ],
)
def test_one_moment_in_many_forms(ts: object) -> None:
    assert measured(UTC, ts) == NOW - HOUR


@given(st.integers(NOW - 360 * 86_400_000, NOW + 86_000_000))
def test_an_epoch_is_the_same_moment_in_each_unit(moment: int) -> None:
    assert {measured(UTC, moment * unit) for unit in (1, 1_000, 1_000_000)} == {moment}
    assert measured(UTC, moment / 1000) == moment


def test_a_time_without_a_zone_is_in_the_zone_of_the_settings() -> None:
    assert measured(BERLIN, "2026-11-24T10:00:00") == NOW - HOUR
    assert measured(BERLIN, "2026-11-24T10:00:00Z") == NOW
    summer = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert measured(BERLIN, "2026-07-01T12:00:00") == int(summer.timestamp() * 1000)
    assert measured(BERLIN, NOW // 1000) == NOW  # an epoch has no zone
    for twice in ("2026-10-25T02:30:00", "2026-03-29T02:30:00"):  # the clock shows it twice, or never
        assert measured(BERLIN, twice)


def test_a_zone_that_does_not_exist_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone in ("Europe/Atlantis", "../../etc/passwd", "", "CET+1x"):
        monkeypatch.setenv("ZELADOR_TIME_ZONE", zone)
        with pytest.raises(InvalidInput, match=r"ZELADOR_TIME_ZONE: .*IANA"):
            load_settings()


@pytest.mark.parametrize("ts", [183_456, 5, 86_400_000, 0, "0", "183456", "1970-01-01T00:03:12", 4_294_967.295])
def test_the_time_since_the_start_is_not_a_time(ts: object) -> None:
    """millis(), or a clock that was never set."""
    assert "before the year 2000: the device's clock is not set, or it sends the time since its start" in reason(ts)


@pytest.mark.parametrize("ts", ["2000-01-01T00:00:12", "2000-01-01", 946_684_812, 946_684_812_000, "2016-01-01"])
def test_a_clock_after_a_change_of_its_battery_is_not_set(ts: object) -> None:
    why = reason(ts)
    assert "more than 365 days before it was received: the device's clock is not set" in why
    assert "ZELADOR_INGEST__MAX_BEHIND_S" in why
    old = Decoder(Settings(ingest={"max_behind_s": 30 * 365 * 86_400}))
    assert measured(old, ts) < NOW


def test_a_time_ahead_names_its_setting() -> None:
    assert "ahead of the server's clock (ZELADOR_INGEST__MAX_AHEAD_S)" in reason(NOW + 2 * 86_400_000)


@pytest.mark.parametrize(
    "ts",
    [
        True,
        [],
        {},
        "soon",
        "03/04/2026 10:00",
        "11/24/2026",
        "20261341",
        1e300,
        10**400,
        "9" * 300,
        "１７９５５１４４００",
    ],
)
def test_values_that_are_not_times_are_refused(ts: object) -> None:
    assert "it must be ISO 8601" in reason(ts)


def test_a_retained_reading_is_marked_and_never_measured_now() -> None:
    old = {**GOOD, "ts": "2026-11-20T10:00:00Z"}
    decoder = Decoder(Settings())
    arrival, refused = decoder.decode(TOPIC, json.dumps(old).encode(), NOW, retained=True)
    assert arrival is not None and arrival.retained and refused == []
    assert arrival.readings[0].measured_at == NOW - 4 * 86_400_000
    for undated in (GOOD, {**GOOD, "ts": ""}, [GOOD, GOOD]):
        assert decoder.decode(TOPIC, json.dumps(undated).encode(), NOW, retained=True) == (None, [])
    assert decoder.passed_over == 4
    arrival, refused = decoder.decode(TOPIC, json.dumps([GOOD, old]).encode(), NOW, retained=True)
    assert arrival is not None and len(arrival.readings) == 1 and refused == []


def test_an_empty_message_is_skipped() -> None:
    decoder = Decoder(Settings())
    for retained in (True, False):
        assert decoder.decode(TOPIC, b"", NOW, retained=retained) == (None, [])
    assert decoder.passed_over == 2
    assert "clears a retained one" in decoder.last_passed_over


@given(st.datetimes(datetime(2025, 11, 25), datetime(2026, 11, 24, 9)), st.sampled_from("T "))
def test_the_usual_form_is_read_as_any_other(moment: datetime, between: str) -> None:
    text = moment.isoformat(between, "milliseconds")
    assert measured(UTC, text + "Z") == measured(UTC, text + "+00:00") == measured(UTC, text + "000Z")


@pytest.mark.parametrize(
    "ts",
    [
        "2026-11-24T09:00:00.1 3Z", "2026-11-24T09:00:00.-12Z", "2026-11-24T09:00:00.1_3Z",
        "2026-11-24T09:00:00.\u0661\u0662\u0663Z",
        "2026-11-24T09:00:61.123Z", "2026-11-24T09:00:00\0.123Z", "20261124T090000.:00.123Z",
        "2026-11-24T09:\x0000:.123Z",
        "2026-11-24T09:0:0:00.12Z", "2026-13-24T09:00:00.123Z", "\u00b2026-11-24T09:00:0.123Z",
    ],
)  # fmt: skip
def test_text_that_only_resembles_the_usual_form_is_refused(ts: str) -> None:
    assert "it must be ISO 8601" in reason(ts)


@given(ts=st.one_of(st.integers(-(10**21), 10**21), st.floats(-1e21, 1e21), st.datetimes().map(datetime.isoformat)))
def test_every_accepted_time_can_be_written(ts: object) -> None:
    """Also with the widest limits that the settings allow. A worker must write the time of each prediction."""
    limits = {"max_behind_s": MAX_SPAN_S, "max_ahead_s": MAX_SPAN_S}
    arrival, _ = Decoder(Settings(ingest=limits)).decode(TOPIC, json.dumps({**GOOD, "ts": ts}).encode(), NOW)
    if arrival is not None:
        assert 1826 <= int(iso(arrival.readings[0].measured_at)[:4]) <= 2227


@pytest.mark.parametrize("name", ["max_behind_s", "max_ahead_s"])
def test_the_settings_allow_no_wider_limits(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(ingest={name: 1e12})
