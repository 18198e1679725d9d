"""The console's words for changes of devices, and the numbers of its charts."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timezone

import pytest

from admin.console import charts
from admin.console.authors import named, person, run_notes
from admin.console.device.timeline import timeline
from admin.console.language import Language, language
from admin.console.render import Renderer
from admin.console.runs.words import said_text
from admin.console.said import Said, said_words
from admin.console.words import act, device_event, device_line, is_told, period, sentence
from operations.audit import Act
from operations.audit_entry import Change
from operations.views.device_events import DeviceEventView
from operations.views.devices import DeviceView
from zelador.alarms.state import STATES

EN, PT = (language(tag, timezone.utc) for tag in ("en", "pt-BR"))


def change(before: str, state: str) -> DeviceEventView:
    nothing = dict.fromkeys(("by", "why", "label", "probability", "model", "reading_id"))
    return DeviceEventView("1-0", "2026-11-26T12:00:00Z", "press", before=before, state=state, **nothing)  # type: ignore[arg-type]


def test_no_device_is_left_suspect_among_what_happened() -> None:
    """A device that is suspect and then OK has no line; the end of an alarm always has one."""
    assert not is_told(change("ok", "suspect"))
    assert not is_told(change("suspect", "ok"))
    for before, state, said in (
        ("suspect", "alarm", "press is in alarm"),
        ("alarm", "ok", "press is OK again"),
        ("acknowledged", "suspect", "press: no longer “Acknowledged”"),
    ):
        assert is_told(change(before, state))
        assert device_event(EN, change(before, state), {}).sentence == said


@pytest.mark.parametrize("reader", [EN, PT])
@pytest.mark.parametrize("state", [*STATES, "later"])
def test_an_event_of_a_device_begins_with_the_device(reader: Language, state: str) -> None:
    for before in STATES:
        event = device_event(reader, replace(change(before, state), by="Ana"), {})
        assert event.sentence == f"press{event.rest}"
        assert event.rest


@pytest.mark.parametrize(
    ("before", "state", "by", "said"),
    [
        ("acknowledged", "alarm", "key 1", "Ana undid the acknowledgment"),
        ("shelved", "alarm", "key 1", "Ana ended the shelving"),
        ("shelved", "alarm", None, "the shelving ended"),
        ("retired", "alarm", "joe (command line)", "joe brought it back"),
        ("retired", "ok", "key 1", "Ana brought it back"),
        ("shelved", "ok", "key 1", "Ana ended the shelving"),
    ],
)
def test_a_person_who_brings_an_alarm_back_did_not_raise_it(before: str, state: str, by: str | None, said: str) -> None:
    """The events of the device and of the overview say what the person did."""
    event = replace(change(before, state), by=by, label="yes", probability=0.97)
    names = {"key 1": "Ana"}
    shown = f"again: {said}" if state == "alarm" else said
    assert [each.text for each in timeline(EN, [event], [], names, 9)] == [shown]
    if state == "alarm":
        assert device_event(EN, event, names).sentence == f"press is in alarm again: {said}"
    raised = replace(change("suspect", "alarm"), label="yes", probability=0.97)
    assert [each.text for each in timeline(EN, [raised], [], names, 9)] == ["“yes”, probability 0.97"]


@pytest.mark.parametrize(
    ("state", "why", "said"),
    [
        ("unknown", "quarantined", "suas leituras estão em quarentena"),
        ("unknown", "silent", "sem sinal"),
        ("suspect", "chattering", "em alerta de novo, logo depois de um alarme"),
        ("shelved", "silent", "por Ana: silent"),  # a person's words stay as they are
    ],
)
def test_the_reason_of_a_change_is_in_the_reader_s_language(state: str, why: str, said: str) -> None:
    event = replace(change("ok", state), why=why, by="Ana" if state == "shelved" else None)
    assert timeline(PT, [event], [], {}, 9)[0].text == said


def test_an_alarm_that_a_shelving_ended_was_not_raised_by_the_person() -> None:
    shelved = replace(change("alarm", "shelved"), at="2026-11-26T12:17:00Z", by="Ana", why="WO 7")
    assert timeline(EN, [shelved, change("ok", "alarm")], [], {}, 9)[0].text == "by Ana, after 17 min in alarm: WO 7"


@pytest.mark.parametrize(("reader", "half"), [(EN, "0.5"), (PT, "0,5")])
def test_an_axis_has_the_numbers_of_the_reader_s_language(reader: Language, half: str) -> None:
    for chart in (
        charts.roc([0.0, 1.0], [0.0, 1.0], "", "", "", reader),
        charts.calibration([0.5], [0.5], [9], "", "", "", reader),
        charts.cost_curve([0.0, 1.0], [1.0, 2.0], 0.5, reader, ""),
    ):
        assert f">{half}</text>" in chart


def test_an_author_is_named_without_the_way_and_a_key_by_its_note() -> None:
    names = {"key 4f2a91c0": "Ana", "key 00000001": "tablet hall B"}
    assert named(EN, "key 4f2a91c0", names) == "Ana"
    assert named(EN, "joe (command line)", names) == "joe"
    assert named(EN, "key 9", names) == "key 9"
    revoked = Change("1", "2026-11-24T10:00:00Z", "joe (command line)", Act.KEY_REVOKED, "00000001")
    assert sentence(EN, names, revoked) == "joe revoked key “tablet hall B”"
    assert act(EN, names, revoked) == "revoked key “tablet hall B”"
    assert sentence(EN, {}, revoked) == "joe revoked key 00000001"


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        ("1 row got no score", ("1 reading got no score.", "1 leitura ficou sem resultado.")),
        ("1250 rows got no score", ("1,250 readings got no score.", "1.250 leituras ficaram sem resultado.")),
    ],
)
def test_one_is_not_several(said: str, texts: tuple[str, str]) -> None:
    assert (said_text(EN, said), said_text(PT, said)) == texts


@pytest.mark.parametrize(
    ("counts", "heading", "is_done"),
    [
        ({"still_refused": 3}, "0 of 3 passed", False),
        ({"accepted": 1, "not_whole": 1, "gone": 1}, "1 of 3 passed", False),
        ({"gone": 1}, "0 of 1 passed", False),
        ({"accepted": 1}, "1 message replayed", True),
        ({"accepted": 2, "repeated": 1, "waiting": 1}, "4 messages replayed", True),
        ({}, "Nothing was replayed", False),
    ],
)
def test_the_headline_of_a_replay_says_what_it_achieved(counts: dict[str, int], heading: str, is_done: bool) -> None:
    said = Said("replayed", counts=counts)
    assert (said_words(EN, said)[0], said.is_done) == (heading, is_done)
    assert said_words(EN, said)[1].endswith(".")


@pytest.mark.parametrize(
    ("what", "target", "said"),
    [
        (Act.LABELS_IMPORTED, "1 label", "Ana importou 1 rótulo"),
        (Act.LABELS_IMPORTED, "1200 labels", "Ana importou 1.200 rótulos"),
        (Act.QUARANTINE_REPLAYED, "all", "Ana reprocessou todas as mensagens da quarentena"),
    ],
)
def test_a_number_of_things_is_named_in_the_reader_s_language(what: Act, target: str, said: str) -> None:
    assert sentence(PT, {}, Change("1", "2026-11-24T10:00:00Z", "Ana", what, target)) == said


@pytest.mark.parametrize(("second", "said"), [("00.400", ""), ("04.600", "after 4 s in alarm")])
def test_an_alarm_that_ended_at_once_is_not_said_to_have_lasted_0_s(second: str, said: str) -> None:
    ended = replace(change("alarm", "ok"), at=f"2026-11-26T12:00:{second}Z")
    assert timeline(EN, [ended, change("ok", "alarm")], [], {}, 9)[0].text == said


def test_the_line_of_a_device_ends_with_what_a_phone_shows_of_it() -> None:
    """On a phone the whole line took six rows of a narrow column."""
    nothing = dict.fromkeys(field.name for field in fields(DeviceView))
    device = DeviceView(**{**nothing, "state": "alarm", "since": "2020-01-01T10:00:00Z"})  # type: ignore[arg-type]
    likely = replace(device, alarm_label="<b>", alarm_probability=0.94)
    assert device_line(EN, likely, {}) == (
        '<span class="lo">“&lt;b&gt;”, probability 0.94, </span>since 1 Jan 2020 10:00'
    )
    assert device_line(EN, device, {}) == "since 1 Jan 2020 10:00"
    taken = replace(likely, state="acknowledged", acknowledged_by="key 1", acknowledged_at="2020-01-01T11:00:00Z")
    assert str(device_line(EN, taken, {"key 1": "A&na"})).endswith(
        "since 1 Jan 2020 10:00; </span>by A&amp;na, 1 Jan 2020 11:00"
    )
    assert device_line(EN, replace(device, state="retired"), {}) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0.000"), (0.00031, "+0.0003"), (-0.0000012, "−0.000001"), (1e-9, "0.000"), (0.06, "+0.060")],
)
def test_the_end_of_an_interval_beside_0_is_not_shown_as_0(value: float, said: str) -> None:
    """A run said that the interval "0.000 to +0.141" does not include 0."""
    assert EN.bound(value) == said


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("key 4f2a91c0", "chave 4f2a91c0"),  # a key without a name, or seen by somebody who is no admin
        ("key 00000001", "a linha 2"),
        ("ana (command line)", "ana (linha de comando)"),
        ("trainer-1 (run 20261127_130132-7d03)", "trainer-1 (execução 20261127_130132-7d03)"),
        ("trainer-1 (the schedule (2026-11-27 03:00 UTC))", "trainer-1 (a agenda (2026-11-27 03:00 UTC))"),
        (
            "trainer-1 (12 readings labeled since the last run)",
            "trainer-1 (12 leituras rotuladas desde a última execução)",
        ),
        ("a stranger's words", "a stranger's words"),
    ],
)
def test_an_author_is_in_the_reader_s_language(who: str, said: str) -> None:
    assert person(PT, who, {"key 00000001": "a linha 2"}) == said
    assert run_notes(PT, "started by 1 reading labeled since the last run").startswith("iniciada por: 1 leitura")
    assert run_notes(PT, "started by me") == "started by me"


def test_no_line_breaks_in_a_range() -> None:
    """On a phone, the end of "0.4–1.1" stood on the next line."""
    begin, end, later = "2020-01-01T10:26:00Z", "2020-01-01T10:54:00Z", "2020-01-02T10:54:00Z"
    assert period(EN, begin, end) == "1 Jan 2020 10:26–\N{WORD JOINER}10:54"
    assert period(EN, begin, later) == "1 Jan 2020 10:26\N{NO-BREAK SPACE}– 2 Jan 2020 10:54"
    template = Renderer(EN, "plant").environment.from_string("{{ '0.4'|to('1.1') }}")
    assert template.render() == "0.4–\N{WORD JOINER}1.1"


def test_the_lane_tells_unknown_and_shelved_from_ok() -> None:
    """Unknown never counts as OK, and it was drawn as OK is."""
    states = ("ok", "shelved", "unknown", "retired")
    drawn = [str(charts.lane([charts.LaneStep(state, 0.0, 0.5)], "")) for state in states]
    assert [text.count("<rect") for text in drawn] == [1, 1, 1, 0]
    assert len(set(drawn)) == len(states)
