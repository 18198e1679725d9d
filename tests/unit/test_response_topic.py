"""Which response topics are answered: those that every broker accepts, below the sender's prefix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zelador.response_topic import MAX_BYTES, MAX_LEVELS, ResponseRule, unpublishable
from zelador.settings import Settings, TopicSettings

RULE = ResponseRule(TopicSettings())


@pytest.mark.parametrize("topic", ["sensors/press/answers", "sensors/press/answers/1/é", "sensors/press/reading/mine"])
def test_a_topic_below_the_devices_own_is_answered(topic: str) -> None:
    assert RULE.objection("press", topic) is None


@pytest.mark.parametrize(
    "topic",
    [
        "sensors/victim/reading",
        "sensors/victim/answers",
        "sensors/victim/prediction",
        "sensors/press/reading",
        "sensors/press/prediction",
        "sensors/press/state",
        "sensors/press/label",
        "sensors/press",
        "sensors/press2/answers",
        "zelador/status/inference/inference-1",
        "factory/plc/7/set",
        "Sensors/press/answers",
        "/sensors/press/answers",
    ],
)
def test_a_topic_of_another_device_is_not(topic: str) -> None:
    assert RULE.objection("press", topic)


@pytest.mark.parametrize("level", ["reading", "prediction", "state", "label"])
@pytest.mark.parametrize("device", ["press", "victim", ""])
def test_whatever_the_prefixes_allow_the_products_own_topics_are_never_answered_to(level: str, device: str) -> None:
    rule = ResponseRule(TopicSettings(response_prefixes=("sensors/", "zelador/", "answers/{device_id}/")))
    assert rule.objection("press", f"sensors/{device}/{level}")
    assert rule.objection("press", "zelador/status/ingest/zelador-ingest")
    assert rule.objection("press", "sensors/victim/x") is None
    assert rule.objection("press", "answers/press/1") is None
    assert rule.objection("press", "answers/victim/1")


BAD = (
    *("#", "+", "\0", "\t", "\x7f", "\x85", "\ufdd0", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"),
    *("\ud800", "\udfff"),
)


@pytest.mark.parametrize("character", BAD, ids=[f"{ord(one):x}" for one in BAD])
def test_a_character_that_a_broker_may_hang_up_on(character: str) -> None:
    assert RULE.objection("press", f"sensors/press/a{character}b")


def test_length_is_counted_in_bytes_and_levels() -> None:
    assert RULE.objection("press", "sensors/press/" + "a" * (MAX_BYTES - 14)) is None
    assert RULE.objection("press", "sensors/press/" + "a" * (MAX_BYTES - 13))
    assert RULE.objection("press", "sensors/press/" + "é" * 505) is None
    assert RULE.objection("press", "sensors/press/" + "é" * 506)
    assert RULE.objection("press", "sensors/press" + "/" * (MAX_LEVELS - 2)) is None
    assert RULE.objection("press", "sensors/press" + "/" * (MAX_LEVELS - 1))
    assert RULE.objection("press", "/" * 250)


@pytest.mark.parametrize("first", ["$", "é", "\N{GRINNING FACE}", "ﷺ"])
def test_a_first_character_that_ends_a_broker(first: str) -> None:
    rule = ResponseRule(TopicSettings(reading="{device_id}/reading", prediction="{device_id}/prediction"))
    assert rule.objection(first, f"{first}/x")
    assert rule.objection("a", "a/x") is None


@given(st.text(max_size=40))
def test_what_is_published_to_is_utf_8_without_surprises(topic: str) -> None:
    if unpublishable(topic) is None:
        assert 0 < len(topic.encode()) <= MAX_BYTES
        assert topic[0].isascii()
        assert topic[0] != "$"


def test_prefixes_come_from_the_environment_and_may_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().topics.answered_prefixes == ("sensors/{device_id}/",)
    assert TopicSettings(reading="a/b/{device_id}/c/d").answered_prefixes == ("a/b/{device_id}/",)
    monkeypatch.setenv("ZELADOR_TOPICS__RESPONSE_PREFIXES", "answers/{device_id}/, rpc/")
    assert Settings().topics.answered_prefixes == ("answers/{device_id}/", "rpc/")
    monkeypatch.setenv("ZELADOR_TOPICS__RESPONSE_PREFIXES", "")
    assert Settings().topics.answered_prefixes == ()
    assert ResponseRule(Settings().topics).objection("press", "sensors/press/answers")


@pytest.mark.parametrize(
    "prefix", ["sensors/{device_id}", "sensors/x{device_id}/", "a/+/", "a/#", "$share/a/", "{other}/a"]
)
def test_a_prefix_that_would_let_one_device_pass_for_another_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="must"):
        TopicSettings(response_prefixes=(prefix,))
