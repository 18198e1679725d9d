"""A device's message with a label of its own readings: what is read, and what is refused with its reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelador.decode.unusable import Unusable
from zelador.labels.message import A_MINUTE, MAX_PAYLOAD_BYTES, LabelMessages
from zelador.settings import IngestSettings, Settings

NOW = 1_795_514_400_000
TOPIC = "sensors/press-07/label"
GOOD = {"from": "2026-11-24T09:00:00Z", "to": "2026-11-24T09:10:00Z", "label": "yes"}


def read(message: object, **settings: object):
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    return LabelMessages(Settings(**settings)).read(TOPIC, payload, NOW)


def test_the_topic_names_the_device_and_the_id_follows_from_the_content() -> None:
    label = read(GOOD)
    assert (label.device, label.begin, label.end, label.label, label.by, label.source) == (
        "press-07", NOW - 3_600_000, NOW - 3_000_000, "yes", "press-07", "mqtt"
    )  # fmt: skip
    assert read({**GOOD, "from": NOW // 1000 - 3_600, "device": "pump"}).id == label.id
    assert read({**GOOD, "label": "no"}).id != label.id
    assert read({**GOOD, "id": 17, "to": None}).id == "17"
    assert read({**GOOD, "to": None}).end is None
    assert read(b"") is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"{", "JSON"),
        (b"\xff", "JSON|UTF-8"),
        ([GOOD], "an array; a label is an object"),
        ({**GOOD, "from": None}, "from is missing"),
        ({**GOOD, "label": None}, "label is missing"),
        ({**GOOD, "label": {"a": 1}}, "label is an object"),
        ({**GOOD, "to": GOOD["from"]}, "is not after from"),
        ({**GOOD, "from": "soon"}, "from is text"),
        ({**GOOD, "from": 17}, "before the year 2000"),
        ({**GOOD, "to": "2027-11-24T09:00:00Z"}, "MAX_AHEAD_S"),
        ({**GOOD, "note": 5}, "note is the number"),
        ({**GOOD, "id": []}, "id is an array"),
        ({**GOOD, "id": "a\nb"}, "id must have"),
        ({**GOOD, "note": "x" * MAX_PAYLOAD_BYTES}, "at most 1024"),
        (b"[" * 1_000, "JSON"),
    ],
)
def test_an_invalid_label_message_is_refused_with_its_reason(message: object, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        read(message)


def test_a_number_that_is_too_large_for_an_id_leaves_the_default() -> None:
    assert read({**GOOD, "id": 2**70}).id == read(GOOD).id


@given(st.binary(max_size=80) | st.dictionaries(st.sampled_from(["from", "to", "label", "note", "id"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20), st.lists, max_leaves=4)
))  # fmt: skip
def test_any_message_is_a_label_or_refused(message: object) -> None:
    try:
        read(message)
    except Unusable as reason:
        assert str(reason)


def test_which_topics_are_labels() -> None:
    found = LabelMessages(Settings())
    assert found.takes(TOPIC)
    for topic in ("sensors/press-07/reading", "sensors//label", "sensors/a/b/label", "other/press-07/label", "label"):
        assert not found.takes(topic)


def test_a_device_may_send_sixty_labels_a_minute_without_affecting_others() -> None:
    found = LabelMessages(Settings())
    payload = json.dumps(GOOD).encode()
    for _ in range(A_MINUTE):
        assert found.read(TOPIC, payload, NOW) is not None
    with pytest.raises(Unusable, match="in a minute"):
        found.read(TOPIC, payload, NOW)
    assert found.read("sensors/pump/label", payload, NOW) is not None
    assert found.read(TOPIC, payload, NOW, replayed=True) is not None
    assert found.read(TOPIC, payload, NOW + 60_000) is not None


def test_labels_of_devices_can_be_switched_off() -> None:
    with pytest.raises(Unusable, match="ZELADOR_INGEST__LABELS"):
        read(GOOD, ingest=IngestSettings(labels=False))
