"""A message that makes the broker disconnect is given up alone; a failing broker or network costs no other message."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from threading import Event

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.scripted_broker import ScriptedBroker
from zelador.link import Link, LinkOptions, Outgoing, Publication, session
from zelador.settings import MqttSettings

BIRTH = Outgoing("status", b"online")
PROTOCOL_ERROR = b"\xe0\x01\x82"
TAKEN_OVER = b"\xe0\x01\x8e"


class PoisonBroker:
    """Confirms each message, but disconnects at payloads in `poison`. Connection n also ends after `cuts[n]` messages.

    What it has not read by then makes the kernel reset the connection, so that confirmations are lost as well.
    """

    def __init__(self, poison: Collection[bytes] = (), cuts: Mapping[int, int] | None = None, goodbye: bytes = b""):
        self._poison, self._cuts = poison, cuts or {}
        self.taken: list[bytes] = []
        self.connections = 0
        self._messages = 0
        self.broker = ScriptedBroker((b"", self._answer), subscribes=False, goodbye=goodbye)

    def _answer(self, packet: bytes) -> bytes | None:
        if self.connections != len(self.broker.got):
            self.connections, self._messages = len(self.broker.got), 0
        if packet[0] & 0xF0 != 0x30:
            return b""
        at = next(i for i in range(1, 5) if packet[i] < 0x80) + 1
        named = at + 2 + int.from_bytes(packet[at : at + 2], "big")
        topic, packet_id, payload = packet[at + 2 : named], packet[named : named + 2], packet[named + 3 :]
        if topic != b"status":
            if payload in self._poison or self._messages == self._cuts.get(self.connections):
                return None
            self._messages += 1
            self.taken.append(payload)
        return b"\x40\x02" + packet_id


@contextlib.contextmanager
def link_to(url: str, lane: bool = True):
    link = Link(MqttSettings(url=url, lane=lane), LinkOptions("one", birth=BIRTH), Event())
    link.open(60.0)
    try:
        yield link
    finally:
        link.close()


def publish(link: Link, payloads: Collection[bytes]) -> Publication:
    publication = link.publish([Outgoing("a", payload) for payload in payloads])
    assert link.confirmed(publication, 30.0), (link.reconnects, publication)
    return publication


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the waits of the link, in the same order."""
    monkeypatch.setattr(session, "backoff", lambda attempt, **_: 0.0005)
    monkeypatch.setattr(session, "STEADY_S", 0.002)


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "paho"])
@pytest.mark.parametrize("goodbye", [b"", PROTOCOL_ERROR], ids=["silent", "with a reason"])
def test_one_message_that_ends_every_connection_is_given_up_and_the_others_arrive(
    lane: bool, goodbye: bytes, quick: None
) -> None:
    payloads = [b"%d" % number for number in range(300)]
    poison = PoisonBroker({b"170"}, goodbye=goodbye)
    with poison.broker as broker, link_to(broker.url, lane) as link:
        publication = publish(link, payloads)
        assert list(publication.refused) == [170]
        assert "3 times with only this message in flight" in publication.refused[170]
        assert not goodbye or "Protocol error" in publication.refused[170]
        assert set(poison.taken) == set(payloads) - {b"170"}
        assert link.reconnects <= 16
        before = link.reconnects
        assert publish(link, payloads[:100]).refused == {}
        assert link.reconnects == before


def test_many_such_messages_cost_a_few_connections_each(quick: None) -> None:
    payloads = [b"%d" % number for number in range(200)]
    bad = {b"0", b"1", b"2", b"77", b"199"}
    with PoisonBroker(bad).broker as broker, link_to(broker.url) as link:
        publication = publish(link, payloads)
        assert {payloads[index] for index in publication.refused} == bad
        assert link.reconnects <= 16 * len(bad)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 60),
    bad=st.sets(st.integers(0, 59), max_size=3),
    cuts=st.dictionaries(st.integers(1, 12), st.integers(0, 20), max_size=3),
)
def test_only_messages_that_end_connections_are_given_up(
    count: int, bad: set[int], cuts: dict[int, int], quick: None
) -> None:
    """At most three losses by the network: no message can be alone on two of them after it was suspect twice."""
    cuts = dict(list(cuts.items())[:1]) if bad else cuts
    payloads = [b"%d" % number for number in range(count)]
    bad = {number for number in bad if number < count}
    poison = PoisonBroker({payloads[number] for number in bad}, cuts)
    with poison.broker as broker, link_to(broker.url) as link:
        publication = publish(link, payloads)
    assert set(publication.refused) == bad
    assert set(poison.taken) == set(payloads) - {payloads[number] for number in bad}


def test_a_network_that_is_cut_again_and_again_costs_nothing(quick: None) -> None:
    """Every connection carries a few messages and ends: thirty times, and nothing is given up."""
    payloads = [b"%d" % number for number in range(200)]
    poison = PoisonBroker(cuts={number: 1 + number % 3 for number in range(1, 31)})
    with poison.broker as broker, link_to(broker.url) as link:
        assert publish(link, payloads).refused == {}
        assert set(poison.taken) == set(payloads)
        assert link.reconnects >= 25


def test_a_session_that_is_taken_over_blames_no_message(quick: None) -> None:
    """Another client connects with our client id again and again: the broker says so, and no message is given up."""
    poison = PoisonBroker(cuts=dict.fromkeys(range(1, 20), 0), goodbye=TAKEN_OVER)
    with poison.broker as broker, link_to(broker.url) as link:
        assert publish(link, [b"1", b"2"]).refused == {}
        assert link.reconnects == 19


def test_connections_that_end_immediately_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def backoff(attempt: int, **limits: float) -> float:
        if not limits:  # with limits, this is the pause between two clients that take over each other's session
            asked.append(attempt)
        return 0.001

    monkeypatch.setattr(session, "backoff", backoff)
    taken_over = PoisonBroker(cuts=dict.fromkeys(range(1, 7), 0), goodbye=TAKEN_OVER)
    with taken_over.broker as broker, link_to(broker.url) as link:
        publish(link, [b"1"])
        assert asked == [1, 2, 3, 4, 5, 6]


def test_many_losses_give_few_log_lines(quick: None, caplog: pytest.LogCaptureFixture) -> None:
    poison = PoisonBroker(cuts=dict.fromkeys(range(1, 100), 0), goodbye=TAKEN_OVER)
    with poison.broker as broker, link_to(broker.url) as link:
        publish(link, [b"1"])
    assert link.reconnects == 99
    assert len(caplog.records) <= 50


def test_only_a_message_that_mqtt_cannot_carry_is_refused() -> None:
    with PoisonBroker().broker as broker, link_to(broker.url) as link:
        messages = [Outgoing("a", b"1"), Outgoing("x" * 70_000, b"2"), Outgoing("a\ud800", b"3"), Outgoing("a", b"4")]
        publication = link.publish(messages)
        assert link.confirmed(publication, 60.0)
        assert set(publication.refused) == {1, 2}


@pytest.mark.parametrize("lane", [True, False], ids=["lane", "paho"])
def test_messages_above_the_brokers_limit_are_never_sent(lane: bool) -> None:
    """The CONNACK has a Maximum Packet Size of 100,000 bytes."""
    connack = b"\x20\x08\x00\x00\x05\x27\x00\x01\x86\xa0"
    with ScriptedBroker((b"", confirm), connack=connack, subscribes=False) as broker, link_to(broker.url, lane) as link:
        assert link.packet_bytes == 100_000
        publication = link.publish([Outgoing("a", b"x" * size) for size in (99_900, 100_000, 10)])
        assert link.confirmed(publication, 60.0)
        assert list(publication.refused) == [1]
        assert "at most 100000" in publication.refused[1]
        assert link.reconnects == 0
        assert max(len(packet) for packet in broker.got[0]) <= 100_000


def confirm(packet: bytes) -> bytes:
    if packet[0] & 0xF0 != 0x30:
        return b""
    at = next(i for i in range(1, 5) if packet[i] < 0x80) + 1
    named = at + 2 + int.from_bytes(packet[at : at + 2], "big")
    return b"\x40\x02" + packet[named : named + 2]


def test_a_broker_that_takes_one_message_at_a_time(eventually: Callable[..., None]) -> None:
    """The CONNACK has a Receive Maximum of 1."""
    connack = b"\x20\x06\x00\x00\x03\x21\x00\x01"
    with ScriptedBroker((b"", confirm), connack=connack, subscribes=False) as broker, link_to(broker.url) as link:
        assert publish(link, [b"1", b"2", b"3"]).refused == {}


def test_a_stalled_broker_that_dies_costs_nothing(quick: None) -> None:
    """The broker takes a message, does not answer and is killed: one more loss is no evidence against the message."""
    deaths = 0

    def stall(packet: bytes) -> bytes | None:
        nonlocal deaths
        if packet[0] & 0xF0 != 0x30 or b"status" in packet or deaths >= 4:
            return confirm(packet)
        deaths += 1
        time.sleep(0.05)
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "PROMPT_S", 0.02)
        with ScriptedBroker((b"", stall), subscribes=False) as broker, link_to(broker.url) as link:
            assert publish(link, [b"1"]).refused == {}
    assert deaths == 4


def test_a_message_that_is_never_confirmed_is_given_up_too(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker never confirms one message. Without giving it up, the full window would stall the link."""
    monkeypatch.setattr(session, "SILENT_S", 0.05)
    with (
        ScriptedBroker((b"", lambda packet: b"" if b"bad" in packet else confirm(packet)), subscribes=False) as broker,
        link_to(broker.url) as link,
    ):
        publication = publish(link, [b"1", b"bad", b"3"])
    assert list(publication.refused) == [1]
    assert "confirmed none" in publication.refused[1]
