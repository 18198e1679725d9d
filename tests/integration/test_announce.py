"""States of devices reach subscribers, Home Assistant and the webhook, through restarts and brokers that forget."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment
from jsonschema import Draft202012Validator

from command.up.ports import choose
from inference.announce import Keeper
from inference.home_assistant import config_topic, discovery, object_id
from tests.device_alarm import put_in_alarm
from tests.discovery_schema import DISCOVERY
from tests.keepers import Subscriber, keeping, states
from tests.servers import found_or_skip, run_process
from zelador.alarms.state import Record
from zelador.buffer import Refused, Writer, connect_redis
from zelador.buffer.connection import RedisConnection
from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.link import Outgoing
from zelador.settings import HomeAssistantSettings, Settings


@pytest.fixture
def plant(settings: Settings, mark: str) -> Settings:
    """Settings with state topics that only this test uses."""
    topics = settings.topics.model_copy(update={"state": f"{mark}/{{device_id}}/state"})
    return settings.model_copy(update={"topics": topics, "homeassistant": HomeAssistantSettings(prefix=f"{mark}-ha")})


TIMES = 20 if os.environ.get("TEST_FAULTS") else 1  # that Home Assistant, or the broker, starts again


def test_a_retained_state_equals_the_one_in_the_api(
    plant: Settings, mark: str, eventually: Callable[..., None]
) -> None:
    put_in_alarm(plant, "press")
    with keeping(plant):
        first = Subscriber(plant, f"{mark}/+/state")
        eventually(lambda: first.state(f"{mark}/press/state").get("state") == "alarm", "the alarm")
        states(plant).act("press", "acknowledge", "ana")
        eventually(lambda: first.state(f"{mark}/press/state").get("acknowledged_by") == "ana", "the acknowledgement")
    later = Subscriber(plant, f"{mark}/+/state")
    eventually(lambda: later.state(f"{mark}/press/state").get("state") == "acknowledged", "the retained state")
    assert connect_redis(plant.redis).hlen(Keys(plant.redis.prefix).announce) == 0


def test_changes_while_no_worker_runs_are_published_at_the_next_start(
    plant: Settings, mark: str, eventually: Callable[..., None]
) -> None:
    put_in_alarm(plant, "press")
    with keeping(plant):
        heard = Subscriber(plant, f"{mark}/+/state")
        eventually(lambda: heard.state(f"{mark}/press/state").get("state") == "alarm", "the alarm")
    states(plant).act("press", "retire", "ana")
    with keeping(plant, "two"):
        eventually(lambda: heard.state(f"{mark}/press/state").get("state") == "retired", "the change")


def test_silence_is_found_while_the_broker_is_away(plant: Settings, eventually: Callable[..., None]) -> None:
    put_in_alarm(plant, "press")
    acknowledged = states(plant)
    acknowledged.act("press", "shelve", "ana", now_ms() + 200)
    port = choose(["mqtt"], {}, {})["mqtt"]
    away = plant.mqtt.model_copy(update={"url": f"mqtt://127.0.0.1:{port}", "connect_timeout_s": 30.0})
    alarm = plant.alarm.model_copy(update={"silent_s": 0.5, "sweep_s": 0.05})
    with keeping(plant.model_copy(update={"mqtt": away, "alarm": alarm})):

        def record() -> Record:
            found = acknowledged.records(["press"])[0]
            assert found is not None
            return found

        eventually(
            lambda: record().silent is not None and record().state == "alarm", "silence, and the end of shelving"
        )


def test_one_of_two_workers_publishes_and_the_other_takes_over(
    plant: Settings, mark: str, eventually: Callable[..., None]
) -> None:
    heard = Subscriber(plant, f"{mark}/+/state")
    client, keys = connect_redis(plant.redis), Keys(plant.redis.prefix)
    with contextlib.ExitStack() as first, keeping(plant, "two"):
        first.enter_context(keeping(plant, "one"))
        put_in_alarm(plant, "press")
        eventually(lambda: heard.state(f"{mark}/press/state").get("state") == "alarm", "the alarm")
        holder = client.get(keys.alarm_keeper)
        first.close()
        eventually(lambda: client.get(keys.alarm_keeper) == f"{mark}-two".encode(), f"a new keeper after {holder!r}")
        states(plant).act("press", "acknowledge", "ana")
        eventually(lambda: heard.state(f"{mark}/press/state").get("state") == "acknowledged", "its work")


def test_what_a_worker_published_after_it_lost_the_lease_is_published_again(plant: Settings) -> None:
    """It may have stood still meanwhile, and another worker's states, which are newer, are overwritten."""
    put_in_alarm(plant, "press")
    client, keys = connect_redis(plant.redis), Keys(plant.redis.prefix)
    keeper = Keeper(plant, Event())
    for holder, left in ((plant.inference.instance, []), ("another", [b"press"])):
        states(plant).announce([(b"press", b"1")])
        waiting = states(plant).waiting(10)
        client.set(keys.alarm_keeper, holder, px=60_000)
        keeper._publish(keeper._connected(), waiting)
        assert client.hkeys(keys.announce) == left
    keeper._disconnect()


def test_a_forgotten_device_leaves_no_retained_message(
    plant: Settings, mark: str, eventually: Callable[..., None]
) -> None:
    put_in_alarm(plant, "press")
    client, keys = connect_redis(plant.redis), Keys(plant.redis.prefix)
    with keeping(plant):
        heard = Subscriber(plant, f"{mark}/+/state")
        eventually(lambda: heard.state(f"{mark}/press/state").get("state") == "alarm", "the alarm")
        client.zrem(keys.devices, "press")
        client.zadd(keys.due, {"press": 1})
        eventually(lambda: heard.hear().get(f"{mark}/press/state") == b"", "the end of the retained message")


@pytest.fixture
def forgetful(
    tmp_path: Path, plant: Settings
) -> Callable[[], contextlib.AbstractContextManager[subprocess.Popen[bytes]]]:
    """A broker that forgets its retained messages at each restart."""
    found_or_skip("mosquitto")
    port = choose(["mqtt"], {}, {})["mqtt"]
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n", encoding="utf-8")

    @contextlib.contextmanager
    def run() -> Iterator[subprocess.Popen[bytes]]:
        with run_process(("mosquitto", "-c", str(conf)), port) as process:
            yield process

    run.url = f"mqtt://127.0.0.1:{port}"  # type: ignore[attr-defined]
    return run


def with_discovery(plant: Settings, forgetful: Any) -> Settings:
    """The plant on the broker that forgets, with a device in alarm."""
    mqtt = plant.mqtt.model_copy(update={"url": forgetful.url})
    home = plant.homeassistant.model_copy(update={"discovery": True})
    plant = plant.model_copy(update={"mqtt": mqtt, "homeassistant": home})
    put_in_alarm(plant, "press")
    return plant


def test_home_assistant_gets_everything_again_after_the_broker_forgot_and_after_its_own_start(
    plant: Settings, mark: str, forgetful: Any, eventually: Callable[..., None]
) -> None:
    plant = with_discovery(plant, forgetful)
    config, state = f"{mark}-ha/device/zelador_press/config", f"{mark}/press/state"

    def everything(after: Subscriber) -> bool:
        newest = after.hear()
        service = after.state(f"{mark}/status/states/zelador-states")
        return {config, state} <= set(newest) and service == {"state": "online"}

    with contextlib.ExitStack() as stack:
        stack.enter_context(forgetful())
        heard = Subscriber(plant, "#")  # first, because a broker sends retained messages in any order
        stack.enter_context(keeping(plant))
        eventually(lambda: everything(heard), "discovery and state")
        topics = [topic for topic, _ in heard.all]
        assert topics.index(config) < topics.index(state), "what describes a state comes before it"
        online = f"{mark}/status/states/zelador-states"
        for _ in range(TIMES):
            count = len(heard.all)
            heard.link.confirmed(heard.link.publish([Outgoing(f"{mark}-ha/status", b"online")]), 60.0)
            eventually(
                lambda n=count: heard.hear() and {config, state, online} <= {t for t, _ in heard.all[n:]}, "all again"
            )
            topics = [topic for topic, _ in heard.all[count:]]
            assert topics.index(config) < min(topics.index(state), topics.index(online)), "it forgets what came before"
        states(plant).act("press", "retire", "ana")
        eventually(lambda: heard.hear()[config] == b"", "its removal")
        states(plant).act("press", "restore", "ana")
        eventually(lambda: heard.hear()[config] != b"", "its return")
    with forgetful(), keeping(plant):
        later = Subscriber(plant, "#")
        eventually(lambda: everything(later), "discovery and state from a broker that forgot")


def test_home_assistant_gets_everything_again_after_each_restart_of_the_broker(
    plant: Settings, mark: str, forgetful: Any, eventually: Callable[..., None]
) -> None:
    """The broker restarts while Zelador runs. A retired device stays away, as does a name that sent only garbage."""
    plant = with_discovery(plant, forgetful)
    put_in_alarm(plant, "gone")
    states(plant).act("gone", "retire", "ana")
    bad = Refused.of(plant.topics.reading.format(device_id="never"), "not JSON", b"{", now_ms(), most=100)
    Writer(RedisConnection(plant.redis, Event()), plant, "alarm").append([], [bad])
    connect_redis(plant.redis).zadd(Keys(plant.redis.prefix).due, {"never": 1})
    config, state = f"{mark}-ha/device/zelador_press/config", f"{mark}/press/state"
    online, never = f"{mark}/status/states/zelador-states", f"{mark}/never/state"
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(contextlib.ExitStack())
        broker.enter_context(forgetful())
        stack.enter_context(keeping(plant))
        for _ in range(TIMES):
            broker.close()
            broker.enter_context(forgetful())
            heard = Subscriber(plant, "#")
            eventually(lambda h=heard: {config, state} <= set(h.hear()), "discovery and state", 20)
            eventually(lambda h=heard: h.state(online) == {"state": "online"}, "the availability")
            eventually(lambda h=heard: h.state(never).get("reason") == "quarantined", "what sent only garbage")
            for other in ("gone", "never"):
                assert not heard.hear().get(f"{mark}-ha/device/zelador_{other}/config")
            heard.link.close(None)


@pytest.mark.parametrize("device", ["press-07", "Prensa nº 7", "a" * 120, "x.y"])
def test_a_discovery_message_is_as_home_assistant_documents_it(settings: Settings, device: str) -> None:
    found = json.loads(discovery(settings, device, "zelador/status/states/zelador-states"))
    assert [error.message for error in Draft202012Validator(DISCOVERY).iter_errors(found)] == []
    assert found["cmps"]["temperature"]["unit_of_measurement"] == "°C"
    assert found["cmps"]["problem"]["device_class"] == "problem"
    _, _, node, last = config_topic(settings, device).rsplit("/", 3)
    assert last == "config" and node.replace("_", "").replace("-", "").isascii()


def test_features_of_any_name_and_unit_are_shown_beside_state_and_problem() -> None:
    features = ("state", "problem", "Öldruck", "current")
    given = Settings(features=features, fields={"Öldruck": {"unit": "bar"}, "current": {"unit": "rpm"}})  # type: ignore[arg-type]
    found = json.loads(discovery(given, "press", "zelador/status/x/y"))["cmps"]
    assert found.keys() == {"problem", "state", "value_problem", "value_state", "Öldruck", "current"}
    assert found["state"]["device_class"] == "enum" and found["problem"]["p"] == "binary_sensor"
    assert found["Öldruck"]["device_class"] == "pressure" and "device_class" not in found["current"]
    for part in ("unique_id", "default_entity_id"):
        assert len({each[part] for each in found.values()}) == 6
    assert all(each["default_entity_id"].isascii() for each in found.values())


def rendered(template: str, message: object) -> object:
    """Renders a template as Home Assistant does."""
    return (
        NativeEnvironment(undefined=StrictUndefined)
        .from_string(template)
        .render(value_json=message, this={"state": "as before"})
    )


@pytest.mark.parametrize(
    ("table", "topic", "messages"),
    [
        (
            {"preset": "fiap", "topic": "fiap/{device_id}"},
            "fiap/a",
            [({"temperatura": 21.5}, 21.5), ([1], "as before")],
        ),
        (
            {"topic": "hall/{device_id}/data", "fields": {"temperature": {"from": "env.t", "scale": 0.1, "offset": 1}}},
            "hall/a/data",
            [({"env": {"t": 210}}, 22.0), ({"env": {}}, "as before"), ({}, "as before"), ([], "as before")],
        ),
        (
            {"topic": "{device_id}/sensor/{field}/state"},
            "a/sensor/temperature/state",
            [(21.5, 21.5), ("unavailable", "as before"), (None, "as before")],
        ),
    ],
)
def test_the_values_in_home_assistant_come_from_the_devices_profile(
    table: dict[str, object], topic: str, messages: list[tuple[object, object]]
) -> None:
    given = Settings(profiles=("own",), profile_tables={"own": table})
    sensor = json.loads(discovery(given, "a", "zelador/status/x/y"))["cmps"]["temperature"]
    assert sensor["state_topic"] == topic
    assert [rendered(sensor["value_template"], message) for message, _ in messages] == [want for _, want in messages]


@pytest.mark.parametrize("profiles", [("default", "tasmota"), ("rtl_433",), ("tasmota",)])
def test_values_that_no_template_can_read_are_left_out(profiles: tuple[str, ...]) -> None:
    found = json.loads(discovery(Settings(profiles=profiles), "a", "zelador/status/x/y"))["cmps"]
    assert {"problem", "state"} <= set(found)
    assert "temperature" not in found


def test_different_devices_have_different_ids_in_home_assistant() -> None:
    names = ["a b", "a_b", "a.b", "A_b", "x" * 60, "x" * 61]
    assert len({object_id(name).lower() for name in names[:3]} | {object_id(name) for name in names[3:]}) == 6
