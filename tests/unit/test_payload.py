"""The payload of a quarantined message, as text and as bytes, with the place where it stops being JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.console.quarantine.payload import MAX_SHOWN, Payload, payload_of
from admin.console.quarantine.reasons import reason_of
from zelador.decode.fault import fault_in
from zelador.decode.json_reader import TOO_LARGE
from zelador.quarantine import QuarantinedMessage


def message(payload: bytes, reason: str = "not JSON: x", length: int | None = None) -> QuarantinedMessage:
    size = len(payload) if length is None else length
    return QuarantinedMessage("1-0", "refused", "t", reason, payload, size, "", 0, 0)


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b'{"lux":400, <b>"v":1}', b"<"),
        (b'{"ts":1795538515,"vibration"', b'"'),
        (b'{"a":1}x', b"x"),
        (b'{"a":1} yz', b"y"),
        (b'{"a":1,}', b"}"),
        (b'{"a":01}', b"1"),
        (b'{"a" 1}', b"1"),
        (b'{"vibrat\xff\xfeion":0.3}', b"\xff"),
        ('{"é":x}'.encode(), b"x"),
        ('{"a":"é'.encode(), "é".encode()),
        (b"\x00\x01", b"\x00"),
        (b"\xff", b"\xff"),
        (b'{"lux":412,"temperature":1e999,"vibration":0.5}', b"1e999"),
        (b'[{"1e999":"1e999","a":1.5E+300,"b":-2E400}]', b"-2E400"),
        (b'{"a":NaN,"b":0.1e1000,"c":?}', b"0.1e1000"),
        (b'{"a":7,"b":' + b"9" * 5_000 + b"}", b"9" * 5_000),
        (b'{"a":nan,"b":inf, "c":?}', b"?"),
        (b'{"a":NaN}', None),
        (b'{"a":1}', None),
        (b"", None),
        (b"  ", None),
        (b"[" * 5_000, None),
    ],
)
def test_the_fault_is_where_the_decoder_stopped(payload: bytes, fault: bytes | None) -> None:
    found = fault_in(payload)
    assert (found and payload[slice(*found)]) == fault


def test_of_a_message_that_was_cut_the_end_is_no_fault() -> None:
    assert fault_in(b'{"a":1, "b', is_whole=False) is None
    assert fault_in(b'{"a":?, "b', is_whole=False) == (5, 6)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_payload_has_a_fault_within_it_or_none(payload: bytes) -> None:
    found = fault_in(payload)
    assert found is None or 0 <= found[0] < found[1] <= len(payload)


def joined(shown: Payload) -> str:
    return "".join((shown.text.before, shown.text.fault, shown.text.after))


@given(st.binary(min_size=1, max_size=200))
def test_the_bytes_are_all_there_and_the_rows_are_aligned(payload: bytes) -> None:
    shown = payload_of(message(payload), "bytes")
    digits = ["".join((row.digits.before, row.digits.fault, row.digits.after)) for row in shown.rows]
    assert {len(row) for row in digits} == {47}
    assert bytes.fromhex(" ".join(digits)) == payload


@given(st.text(max_size=200))
def test_text_is_shown_as_it_is_and_what_cannot_be_seen_is_written_out(text: str) -> None:
    shown = joined(payload_of(message(text.encode("utf-8", "replace")), "text"))
    assert all(sign.isprintable() or sign in "\n\t" for sign in shown)
    assert "\n\n" not in shown
    if text.isprintable():
        assert shown == text


def test_the_form_is_text_if_it_is_text() -> None:
    assert payload_of(message(b'{"a": ?}\r\n'), None).form == "text"
    for payload in (b"\x00\x01", b'{"a":\xff}', '{"a":"\u202e"}'.encode()):
        assert payload_of(message(payload), None).form == "bytes"
    assert payload_of(message(b"\x00"), "text").text.fault == "\\u0000"


def test_hostile_text_cannot_reorder_the_page() -> None:
    assert "\u202e" not in joined(payload_of(message('{"a":"\u202e<script>"'.encode()), "text"))


def test_a_fault_far_from_the_beginning_is_shown_and_the_rest_is_bounded() -> None:
    payload = b'{"a":"' + b"x" * 20_000 + b'", ?}' + b" " * 20_000
    for form in ("text", "bytes"):
        shown = payload_of(message(payload), form)  # type: ignore[arg-type]
        assert shown.end - shown.first <= MAX_SHOWN
        assert shown.first <= payload.index(b"?") < shown.end
        assert shown.has_fault
    assert payload_of(message(payload), "text").text.fault == "?"


def test_a_cut_between_two_bytes_of_a_character_is_none() -> None:
    payload = b'{"a":"' + "é".encode() * 20_000
    assert "\\x" not in joined(payload_of(message(payload), "text"))


def test_a_reason_that_only_quotes_a_place_marks_nothing() -> None:
    assert not payload_of(message(b"abc", "temperature is text (“(byte 1)”)"), None).has_fault
    assert payload_of(message(b"abc"), None).has_fault


def test_a_number_that_is_too_large_is_marked() -> None:
    """The message is JSON, so its reason is another one; the number is what is wrong with it."""
    shown = payload_of(message(b'{"lux":412,"temperature":1e999}', TOO_LARGE), None)
    assert (shown.text.before, shown.text.fault) == ('{"lux":412,"temperature":', "1e999")
    entry = message(b"[]", f"2 elements of an array; the first: {TOO_LARGE}")
    assert (reason_of(entry), reason_of(message(b"", TOO_LARGE))) == ("large", "large")
