"""The doctor's checks of a broker, from facts alone, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from command.doctor import broker
from command.doctor.broker import BrokerFacts
from command.doctor.mosquitto import BrokerConfig, parse, persistence, read_config
from command.doctor.outage import Probe, Queue, covered_s, outage, queue_of, rate_between
from command.up.servers import broker_server, mosquitto_config
from zelador.errors import InvalidInput
from zelador.settings import MqttSettings, Settings

CONF = Path("mosquitto.conf")
WEEK = 7 * 86_400.0
OURS = mosquitto_config(Path("/data"), (1883,))
WHOLE, STOCK = Probe(1_100, 1_100, True), Probe(1_100, 1_000, True)


def config(text: str, folder: Path) -> BrokerConfig:
    path = folder / "mosquitto.conf"
    path.write_text(text)
    return read_config(path)


# ── configuration ────────────────────────────────────────────────────────────────────────────────


def test_our_own_configuration_is_read(tmp_path: Path) -> None:
    found = config(OURS, tmp_path)
    assert (found.queue_messages, found.queue_bytes) == (1_000_000, 268_435_456)
    assert (found.persistence, found.autosave_on_changes, found.autosave_interval) == (True, True, 100)
    assert found.location == Path("/data")


def test_absent_options_have_mosquittos_defaults_and_0_is_no_limit() -> None:
    assert parse(CONF, {}).queue_messages == 1_000
    assert parse(CONF, {}).persistence is False
    assert parse(CONF, {"max_queued_messages": "0"}).queue_messages is None


def test_an_included_folder_is_read_and_a_later_line_wins(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "queue.conf").write_text("# ours\nmax_queued_messages 5000\n")
    text = f"max_queued_messages 10\ninclude_dir {tmp_path / 'conf.d'}\n"
    assert config(text, tmp_path).queue_messages == 5_000


def test_the_embedded_brokers_configuration_is_read(tmp_path: Path) -> None:
    broker_server(tmp_path, 1, 2, "iotcore")
    found = read_config(tmp_path / "broker.toml")
    assert (found.kind, found.queue_messages, found.queue_bytes) == ("iotcore", None, 8 * 16 * 1_048_576)


@pytest.mark.parametrize("text", ["max_queued_messages many", None])
def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "broken.conf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidInput, match=r"broken\.conf"):
        read_config(path)


@pytest.mark.parametrize(
    ("said", "state", "fix"),
    [
        ({}, "broken", "persistence true"),
        ({"persistence": "true"}, "risky", "autosave_on_changes true"),
        ({"persistence": "true", "autosave_interval": "1"}, "risky", "autosave_on_changes true"),
        ({"persistence": "true", "autosave_on_changes": "true"}, "risky", "autosave_interval 100"),
        ({"persistence": "true", "autosave_on_changes": "true", "autosave_interval": "0"}, "risky", "interval 100"),
        ({"persistence": "true", "autosave_on_changes": "true", "autosave_interval": "100"}, "fine", None),
    ],
)
def test_persistence_is_judged_by_what_a_killed_broker_loses(said: dict, state: str, fix: str | None) -> None:
    found = persistence(parse(CONF, said))
    assert found.state == state
    assert fix is None or fix in (found.fix or "")


def test_an_unknown_configuration_is_risky_and_the_fix_says_how_to_check_it() -> None:
    assert persistence(None).state == "risky"
    assert "--mosquitto-conf" in (persistence(None).fix or "")
    assert persistence(BrokerConfig(CONF, kind="iotcore")).state == "risky"


# ── how long an outage is covered ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("queue", "rate", "seconds"),
    [
        (Queue(1_000, None), 100.0, 10.0),
        (Queue(1_000_000, 268_435_456), 100.0, 10_000.0),
        (Queue(None, 120_000), 10.0, 100.0),  # no limit in messages: the bytes decide
        (Queue(None, None), 10.0, WEEK),  # only the session's expiry limits it
        (None, 10.0, None),
        (Queue(1_000, None), 0.0, None),
    ],
)
def test_the_seconds_that_the_queue_covers(queue: Queue | None, rate: float, seconds: float | None) -> None:
    assert covered_s(queue, rate, WEEK) == seconds


@given(messages=some.none() | some.integers(1, 10**9), size=some.none() | some.integers(120, 10**12))
def test_a_greater_rate_is_never_covered_longer(messages: int | None, size: int | None) -> None:
    queue = Queue(messages, size)
    covered = [covered_s(queue, rate, WEEK) or 0.0 for rate in (0.1, 1.0, 50.0, 10_000.0)]
    assert covered == sorted(covered, reverse=True)
    assert max(covered) <= WEEK


@pytest.mark.parametrize(
    ("conf", "probe", "rate", "state", "said"),
    [
        (None, STOCK, 100.0, "broken", "covers 10 s of outage at 100 readings/s"),
        (None, STOCK, 0.0, "broken", "no readings now"),
        (None, STOCK, None, "broken", "the current rate is unknown"),
        (None, STOCK, 1.0, "risky", "covers 1,000 s"),  # long enough, but the test saw it drop messages
        (None, WHOLE, 100.0, "risky", "at least 11 s"),
        (None, None, 100.0, "risky", "unknown"),
        (OURS, WHOLE, 100.0, "fine", "covers 10,000 s"),
        (OURS, None, 100.0, "fine", "1,000,000 messages, 268,435,456 bytes"),
        (OURS, STOCK, 100.0, "broken", "covers 10 s"),  # the running broker has other settings than the file
        (OURS, Probe(1_100, 0, False), 100.0, "broken", "lost a session"),
        ("max_queued_messages 0", WHOLE, 100.0, "fine", "unlimited by count"),
    ],
)
def test_the_queue_is_judged_by_the_outage_that_it_covers(
    tmp_path: Path, conf: str | None, probe: Probe | None, rate: float | None, state: str, said: str
) -> None:
    read = config(conf, tmp_path) if conf else None
    found = outage(queue_of(read, probe), read, probe, rate, WEEK)
    assert (found.state, said in found.what) == (state, True), found
    assert (found.state == "fine") == (found.fix is None)


def test_a_ledger_that_was_reset_gives_no_rate() -> None:
    assert rate_between(100, 300, 2.0) == 100.0
    assert rate_between(300, 100, 2.0) is None


# ── what it grants ───────────────────────────────────────────────────────────────────────────────


def states(facts: BrokerFacts, settings: Settings | None = None, kind: str | None = None) -> dict[str, str]:
    return {found.check: found.state for found in broker.judge(settings or Settings(), facts, kind)}


@pytest.mark.parametrize(
    ("granted", "state"),
    [
        ({}, "fine"),
        ({"ReceiveMaximum": 20}, "fine"),
        ({"MaximumQoS": 0}, "broken"),
        ({"RetainAvailable": 0}, "broken"),
        ({"SessionExpiryInterval": 60}, "risky"),
        ({"MaximumPacketSize": 20_480}, "risky"),
        ({"MaximumPacketSize": 16_777_216}, "fine"),
        ({"SharedSubscriptionAvailable": 0}, "fine"),
    ],
)
def test_the_limits_that_it_grants_are_judged(granted: dict[str, int], state: str) -> None:
    assert states(BrokerFacts(granted=granted, asked_expiry_s=604_800))["broker.grants"] == state


def test_a_shared_group_needs_a_broker_with_reliable_shared_subscriptions() -> None:
    shared = Settings(mqtt=MqttSettings(shared_group="ingest"))
    assert states(BrokerFacts(granted={"SharedSubscriptionAvailable": 0}), shared)["broker.grants"] == "broken"
    assert states(BrokerFacts(), shared, "iotcore")["broker.shared"] == "broken"
    assert states(BrokerFacts(hangs_up_on_sys=True), shared)["broker.shared"] == "broken"
    assert states(BrokerFacts(), shared, "mosquitto")["broker.shared"] == "risky"  # a restart loses the group


def test_versions_and_what_was_dropped() -> None:
    assert states(BrokerFacts(version="mosquitto version 2.0.11", dropped=0)) == {
        "broker": "fine", "broker.grants": "fine", "topics.access": "fine", "broker.dropped": "fine",
    }  # fmt: skip
    assert states(BrokerFacts(version="mosquitto version 1.6.12"))["broker"] == "risky"
    assert states(BrokerFacts(dropped=3))["broker.dropped"] == "risky"


def test_a_refused_topic_is_named_with_the_line_for_the_acl_file() -> None:
    denied = BrokerFacts(cannot_publish={"sensors/zelador-doctor/prediction": "Not authorized"})
    found = {f.check: f for f in broker.judge(Settings(), denied)}["topics.access"]
    assert found.state == "broken"
    assert "topic write sensors/+/prediction" in (found.fix or "")


@pytest.mark.parametrize(
    ("trouble", "fix"),
    [
        ("no answer ([Errno 111] Connection refused)", "start it"),
        ("it refused the connection: Not authorized", "ZELADOR_MQTT__PASSWORD"),
        ("it refused the connection: Unsupported protocol version", "MQTT 5"),
    ],
)
def test_an_unreachable_broker_is_broken_and_its_password_is_never_shown(trouble: str, fix: str) -> None:
    settings = Settings(mqtt=MqttSettings(url="mqtt://user:secret@broker.example"))
    (found,) = broker.judge(settings, BrokerFacts(trouble=trouble))
    assert found.state == "broken"
    assert fix in (found.fix or "")
    assert "secret" not in str(found)
