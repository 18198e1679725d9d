"""The rule for alarms, and the levels of a batch's readings. Pure."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inference.answer import Answered
from inference.device_state import sightings
from zelador.alarms import Rule, Track, step
from zelador.alarms.activity import AlarmActivity, activity
from zelador.alarms.policy import alarm_classes, policy
from zelador.alarms.state import Record, decode_record, published
from zelador.buffer import Delivered, Sightings
from zelador.messages import Arrival, Prediction, Reading
from zelador.settings import AlarmSettings

START = 1_795_514_400_000
TRAINING = {"data": {"classes": {"no": 900, "yes": 100}}}


def run(levels: str, rule: Rule, step_ms: int = 1000) -> list[str]:
    track, found = Track(), []
    for place, level in enumerate(levels):
        track = step(track, START + place * step_ms, level, rule, START)
        found.append(track.condition)
    return found


def test_an_alarm_turns_on_and_off_with_hysteresis() -> None:
    assert run("llhllll", Rule())[2:] == ["suspect"] * 5
    assert run("lhhlh", Rule())[-1] == "alarm"
    assert run("hhh" + "l" * 63, Rule())[-1] == "alarm"
    once = "hhh" + "l" * 64
    assert run(once, Rule())[-1] == "ok"
    assert run(once + "hhh", Rule(hold_s=0.0))[-1] == "alarm"
    assert run("hhh" + "lm" * 100, Rule())[-1] == "alarm", "it is not below low"


def test_trouble_soon_after_an_alarm_is_shown_and_is_an_alarm_when_the_hour_is_over() -> None:
    """One alarm in an hour at most, and a device in trouble is never shown as well."""
    once = "hhh" + "l" * 64
    assert run(once + "hhh" + "l" * 63, Rule())[-1] == "chattering"
    assert run(once + "hhh" + "l" * 64, Rule())[-1] == "ok"
    lasting = run(once + "h" * 3_600, Rule())
    assert lasting[2 + 3_599] == "chattering" and lasting[2 + 3_600] == "alarm", "an hour after the first one began"
    assert "ok" not in lasting[len(once) + 1 :]
    rare = run(once + "hmm" * 1_500, Rule())
    assert set(rare[2 + 3_600 :]) == {"suspect"}, "these are no alarm by themselves"
    assert set(run(once + "hhh" + "hmm" * 1_500, Rule())[2 + 3_604 :]) == {"alarm"}, "but these do not end one"
    assert set(run(once + "hhh" + "l" * 10 + "m" * 5_000, Rule())[80:]) == {"chattering"}, "it begins with trouble"
    assert run(once + "l" * 3_600 + "hhh", Rule())[-1] == "alarm", "that is an hour later"


@pytest.mark.parametrize("jump_s", [-86_400, -7_200, -600, 3_600, 86_400])
def test_a_clock_that_jumps_brings_no_alarm_before_its_hour_is_over(jump_s: int) -> None:
    """Two readings a second; `now` is the clock of the server."""
    rule, track, alarms = Rule(), Track(), 0
    for second in range(7_200):
        ahead = jump_s if 600 <= second < 1_200 or second >= 1_800 else 0
        level = "h" if second // 150 % 2 == 0 else "l"
        before = track.condition
        track = step(track, START + (ahead + second) * 1000, level, rule, START + 10**9 + second * 1000)
        alarms += track.condition == "alarm" != before
    assert alarms == 2


def test_an_alarm_ends_by_readings_and_not_by_a_gap_or_a_jump_of_the_clock() -> None:
    track = Track()
    for second, level in enumerate("hhhllll"):
        track = step(track, START + second * 1000, level, Rule(), START + second * 1000)
    for now in (START + 7_000, START + 4_000_000):
        after = step(track, START + 4_000_000, "l", Rule(), now)
        assert after.condition == "alarm", "missing data end none, even if the device measures rarely"
        assert step(after, START + 4_100_000, "l", Rule(), now).condition == "ok"


@given(st.lists(st.tuples(st.sampled_from("hml"), st.integers(1, 40)), min_size=1, max_size=60))
def test_no_input_turns_an_alarm_on_more_than_once_in_an_hour(periods: list[tuple[str, int]]) -> None:
    """This includes slow flapping: readings a minute apart, some high, then some low."""
    found = run("".join(level * minutes for level, minutes in periods), Rule(), 60_000)
    starts = [i for i in range(1, len(found)) if found[i] == "alarm" != found[i - 1]]
    assert all(later - earlier >= 60 for earlier, later in itertools.pairwise(starts))


@pytest.mark.parametrize("period_s", [2, 10, 60, 300, 600, 1_200, 3_000])
def test_a_device_that_flaps_gives_one_alarm_an_hour_and_is_well_when_it_has_recovered(period_s: int) -> None:
    levels = "".join("h" if second % period_s < period_s / 2 else "l" for second in range(4 * 3_600))
    found = run(levels + "l" * 64, Rule())
    starts = [i for i in range(1, len(found)) if found[i] == "alarm" != found[i - 1]]
    assert 1 <= len(starts) <= 4 and all(later - earlier >= 3_600 for earlier, later in itertools.pairwise(starts))
    assert found[-1] == "ok"


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("hml")), min_size=1, max_size=40))
def test_a_repeated_or_late_reading_changes_nothing(readings: list[tuple[int, str]]) -> None:
    track = Track()
    for at, level in readings:
        track = step(track, START + at, level, Rule(), START)
        for _, other in readings:
            again = step(track, track.measured_at - 1, other, Rule(), START)
            assert (again.window, again.condition, again.measured_at) == (
                track.window, track.condition, track.measured_at,
            )  # fmt: skip


def test_the_rarer_of_two_classes_is_the_alarm_unless_it_is_set() -> None:
    assert alarm_classes(None, ("no", "yes"), TRAINING) == ["yes"]
    assert alarm_classes(None, ("no", "yes"), {}) == []
    assert alarm_classes(None, ("a", "b", "c"), {"data": {"classes": {"a": 1, "b": 2, "c": 3}}}) == []
    assert alarm_classes(("yes", "other"), ("no", "yes"), {}) == ["yes"]


def test_settings_override_training_and_a_pattern_overrides_both() -> None:
    settings = AlarmSettings(high=0.9, devices={"press-*": {"on_count": 1}})
    found = policy(settings, ("no", "yes"), {**TRAINING, "alarm": {"high": 0.6, "on_count": 4, "window": 6}})
    assert found.rules[0] == Rule(on_count=4, window=6, high=0.9)
    assert found.rules[found.rule_of("press-7")].on_count == 1
    assert found.rule_of("lathe") == 0
    with pytest.raises(ValidationError, match="must not be above high"):
        AlarmSettings(high=0.2, low=0.3)
    with pytest.raises(ValidationError, match="window"):
        AlarmSettings(window=3, on_count=4)


@pytest.mark.parametrize(
    "alarm", [{"window": 1e9, "on_count": -1, "high": 7, "low": True}, {"on_count": 0.5}, "no", None]
)
def test_an_invalid_rule_of_a_model_is_ignored(alarm: object) -> None:
    rule = policy(AlarmSettings(), ("no", "yes"), {**TRAINING, "alarm": alarm}).rules[0]
    assert 1 <= rule.on_count <= rule.window <= 60 and 0 < rule.low <= rule.high <= 1


def shares(p: float | None) -> dict[str, float] | None:
    return None if p is None else {"no": 1 - p, "yes": p}


def item(device: str, *readings: tuple[int, float | None, str]) -> Answered:
    """A message with one reading: (second, probability of yes, label)."""
    made = tuple(Reading(f"{device}-{at}", (1.0,), START + at * 1000) for at, _, _ in readings)
    arrival = Arrival(device, made, START + 100_000)
    predictions = [
        Prediction("i", f"{device}-{at}", device, "t", label, None, shares(p), "m", "d", 1, "t")
        for at, p, label in readings
    ]
    times = [reading.measured_at for reading in made]
    return Answered(Delivered("1-1", ("lux",), (arrival,), b"", len(made)), arrival, predictions, [], times)


def seen(items: list[Answered], refused: tuple[int, ...] = (), settings: AlarmSettings | None = None) -> Sightings:
    found = policy(settings or AlarmSettings(), ("no", "yes"), TRAINING)
    return sightings(items, refused, found, START)


def test_readings_of_a_device_are_in_the_order_of_their_times() -> None:
    array = item("a", (3, 0.1, "no"), (1, 0.95, "yes"), (2, 0.5, "no"))
    found = seen([array, item("b", (1, 0.5, "yes")), item("a", (4, 0.5, "no"))])
    at = [START + second * 1000 for second in range(5)]
    assert found.flat == ("a", "hmlm", *at[1:], "m", "yes", 0.95, "a-1", "b", "m", at[1])


def test_what_the_model_said_of_each_reading_that_counts_is_passed() -> None:
    """Only Redis knows which of them begins an alarm."""
    found = seen([item("a", (1, 0.95, "yes"), (2, 0.1, "no")), item("a", (3, 0.9, "yes"))])
    assert found.flat[1] == "hlh" and found.flat[5:] == ("m", "yes", 0.95, "a-1", "yes", 0.9, "a-3")


def test_older_readings_sent_afterwards_are_late_even_in_one_batch() -> None:
    """A device that was away sends its present state first, and then its earlier measurements."""
    old = [item("a", (second, 0.95, "yes")) for second in (1, 2, 3)]
    found = seen([item("a", (5, 0.1, "no")), *old, item("a", (6, 0.1, "no"), (4, 0.95, "yes"))])
    assert found.flat == ("a", "ll", START + 5_000, START + 6_000)


def test_calm_devices_are_passed_in_a_short_form() -> None:
    items = [item(f"d{number}", (number, 0.1, "no")) for number in range(3)]
    found = seen([*items, item("worn", (1, 0.95, "yes"))])
    assert found.calm == (["d0", "d1", "d2"], [START, START + 1_000, START + 2_000], ())
    assert found.flat[:2] == ("worn", "h")
    several = seen(items, settings=AlarmSettings(devices={"d1": {"high": 0.95}}))
    assert several.calm[2] == [1, 2, 1] and several.flat == ()


def test_a_model_without_probabilities_counts_by_its_label() -> None:
    assert seen([item("a", (1, None, "yes"), (2, None, "no"))]).flat[1] == "hl"


def test_refused_old_and_failed_readings_are_left_out() -> None:
    old = item("a", (1, 0.9, "yes"))
    old.arrival = Arrival("a", (Reading("x", (1.0,), START - 1),), START - 1)
    failed = item("c")
    failed.failures = [(Reading("x", (1.0,), START + 1), "the model failed"), (None, "not decoded")]
    found = seen([old, item("b", (1, 0.9, "yes")), failed], refused=(1,))
    assert found.flat == ("c", "x", START + 1)


def test_a_device_of_a_pattern_has_its_rule() -> None:
    found = seen([item("press-1", (1, 0.9, "yes"))], settings=AlarmSettings(devices={"press-*": {"high": 0.95}}))
    assert found.flat == ("press-1", "m", START + 1000, 2)


def test_a_record_is_read_in_both_forms() -> None:
    assert decode_record(b"1795514400000 1795514300000 3") == Record("ok", 1_795_514_300_000, 3, 1_795_514_400_000)
    steady = b"1795514400000a" + msgspec.msgpack.encode({"t": 1, "s": "alarm", "v": 5})
    assert decode_record(steady) == Record("alarm", 0, 5, 1_795_514_400_000)
    stored = {"t": 1, "w": "hhh", "c": "alarm", "s": "alarm", "since": 2, "v": 5, "label": "yes", "p": 0.9}
    found = decode_record(msgspec.msgpack.encode(stored))
    assert (found.state, found.version, found.probability) == ("alarm", 5, 0.9)
    assert b'"state":"alarm","since":"1970-01-01T00:00:00.002Z","version":5' in published("press", found)
    assert b'"version":7' in published("press", found, 7)
    for text in (
        b"",
        b"x",
        b"1795514400000a",
        b"1795514400000ax",
        b"\x81",
        b"1 2",
        msgspec.msgpack.encode({"s": "other"}),
    ):
        with pytest.raises((ValueError, msgspec.DecodeError)):
            decode_record(text)


def test_the_reason_is_that_of_the_state_shown() -> None:
    """A device below which something goes on may be shelved or retired."""
    reasons = {
        state: json.loads(published("press", Record(state, why="on order", reason="chattering")))["reason"]
        for state in ("suspect", "shelved", "retired")
    }
    assert reasons == {"suspect": "chattering", "shelved": "on order", "retired": None}


def test_alarms_of_the_last_minute_and_devices_that_chatter() -> None:
    def change(device: str, before: str, state: str, ago_s: int) -> dict[bytes, bytes]:
        at = str(START - ago_s * 1000)
        fields = {"device": device, "from": before, "to": state, "at": at}
        return {name.encode(): value.encode() for name, value in fields.items()}

    changes = [change("press", "suspect", "alarm", 4_000 * n) for n in range(3)]
    changes += [change("lathe", "suspect", "alarm", 30), change("lathe", "alarm", "ok", 20)]
    changes += [change("mill", "shelved", "alarm", n) for n in range(5)]  # nothing new
    assert activity(changes, START) == AlarmActivity(per_minute=2, chattering=1)
