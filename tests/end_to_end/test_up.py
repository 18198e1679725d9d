"""`zelador up` from outside: no acknowledged reading is lost when a process dies, or over a stop and a start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from command.up.ports import choose
from tests.outside import Outside
from tests.servers import found_or_skip
from tests.small_models import select_one, upload
from tests.up import COMMAND, Up, alive, clean_environment, running

pytestmark = pytest.mark.long(3)

READING = {"lux": 300.0, "temperature": 25.0, "vibration": 0.4}


@pytest.fixture(scope="module", params=["iotcore", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> str:
    """Every promise holds on the wheel's broker, and on Mosquitto."""
    if request.param == "mosquitto":
        found_or_skip("mosquitto")
    return request.param


@pytest.fixture(scope="module")
def with_broker(broker: str) -> dict[str, str]:
    return {"ZELADOR_EMBEDDED__BROKER": broker}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, with_broker: dict[str, str]):
    home = tmp_path_factory.mktemp("up") / "home"
    select_one(home / "registry")
    with running(home, environment=with_broker) as found:
        yield found


@pytest.fixture
def outside(up: Up):
    client = Outside(up["mqtt"])
    yield client
    client.close()


def stream(outside: Outside, name: str, seconds: float, rate: float = 200.0) -> threading.Thread:
    """Publishes readings with their own ids in the background for some seconds."""

    def publish() -> None:
        started, count = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            while count < passed * rate:
                reading = f"{name}-{count}"
                outside.send(f"machine-{count % 7}", {**READING, "id": reading}, reading)
                count += 1
            time.sleep(0.005)

    thread = threading.Thread(target=publish)
    thread.start()
    return thread


def test_it_prints_where_everything_is(up: Up, broker: str) -> None:
    assert list(up.said) == [
        "mqtt",
        "mqtt3",
        "broker",
        "redis",
        "api",
        "console",
        "admin_key",
        "registry",
        "home",
        "pids",
    ]
    assert up["broker"] == broker
    assert set(up.said["pids"]) == {"broker", "redis", "ingest", "inference", "archive", "trainer", "api"}
    alive_now = [pid for pid in up.pids().values() if pid and alive(pid)]
    assert len(alive_now) >= 6
    assert {os.getsid(pid) for pid in alive_now} == {os.getsid(up.process.pid)}
    with urllib.request.urlopen(up["api"] + "/readyz") as answer:
        assert json.loads(answer.read())["model"] == "small"


def test_the_doctor_finds_everything_about_a_home(up: Up, broker: str, outside: Outside, eventually) -> None:
    """The report's queue and rate are right too. Only iotcore is reported as a risk, because its queue is in memory."""
    said: dict = {}

    def is_well() -> bool:
        done = threading.Event()
        name = f"doctor-{len(outside.readings)}"

        def publish() -> None:
            for number in range(100_000):
                if done.wait(0.02):
                    return
                outside.send("press", {**READING, "id": f"{name}-{number}"}, f"{name}-{number}")

        publishing = threading.Thread(target=publish)
        publishing.start()
        command = [*COMMAND, "doctor", "--home", str(up.home), "--json"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment())
        finally:
            done.set()
            publishing.join()
        said.update(json.loads(answer.stdout))
        return answer.returncode == 0

    eventually(is_well, "a home that another test's kill may have left", 90.0)
    states = {found["check"]: found["state"] for found in said["findings"]}
    risky = {"alarms"}  # it is not set which label of this model is an alarm
    risky |= {"broker.persistence"} if broker == "iotcore" else set()
    not_fine = {check for check, state in states.items() if state != "fine"}
    assert not_fine - {"topics.unread"} == risky  # another test publishes on an unread topic
    assert {"home", "process.api", "process.ingest", "selection.rollout", "disk.redis", "topics.access"} <= set(states)
    assert said["queue"]["messages"] == (1_000_000 if broker == "mosquitto" else None)
    assert said["outage_s"] > 600
    assert 5 < said["rate"] < 500
    outside.settled()
    outside.all_predicted()


def test_the_doctor_names_a_device_that_nobody_reads(up: Up, outside: Outside, eventually) -> None:
    """The gate has seen one message; no second session needs to receive it."""
    message = json.dumps({"SI7021": {"Temperature": 21.3}, "BH1750": {"Illuminance": 412}, "Vib": {"Vibration": 0.1}})
    outside._devices.publish("tele/esp01/SENSOR", message, 1).wait_for_publish(10.0)
    command = [*COMMAND, "doctor", "--home", str(up.home), "--no-probe", "--json"]

    def is_said() -> bool:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment())
        return any(
            found["check"] == "topics.unread"
            and found["what"].startswith(
                "esp01 publishes on tele/esp01/SENSOR, and no profile reads it; the preset tasmota would "
                "(ZELADOR_PROFILES=default,tasmota)"
            )
            for found in json.loads(done.stdout)["findings"]
        )

    eventually(is_said, "the sentence", 60.0)


def test_good_and_bad_readings_arrays_and_junk_are_all_accounted_for(up: Up, outside: Outside, eventually) -> None:
    before = up.ledger()
    for i in range(20):
        outside.send("press", {**READING, "id": f"good-{i}"}, f"good-{i}")
    outside.send("press", b"not json")
    outside.send("press", b"\x00" * 2_000_000)
    outside.send("press", {"lux": 1})
    outside.send("press", [])
    outside.send("gateway", [{**READING, "id": "a-1"}, {"lux": "x"}, {**READING, "id": "a-2"}], "a-1", "a-2")
    outside.send("press", {**READING, "id": "good-0"}, "good-0")
    outside.settled()
    outside.all_predicted()
    assert len(outside.readings) == 22
    after: dict[str, int] = {}

    def is_counted() -> bool:  # a reading is classified once the broker has confirmed its prediction
        after.update(up.ledger())
        return after["received"] - before["received"] == 28 and after["waiting"] == 0

    eventually(is_counted, "28 readings received, and none waiting")
    archive = {key: after.pop(key) - before[key] for key in list(after) if "archive" in key}
    assert archive["archived"] + archive["archive_waiting"] == 22
    assert archive["archive_missed"] == archive["before_archive"] == 0
    assert {key: after[key] - before[key] for key in after} == {
        "received": 28, "accepted": 22, "quarantined": 5, "repeated": 1,
        "classified": 22, "waiting": 0, "set_aside": 0, "unaccounted": 0,
    }  # fmt: skip
    assert max(outside.counts().values()) == 1
    sample = outside.predictions[0]
    assert set(sample) == {
        "id", "reading_id", "device_id", "ts", "label", "confidence", "probabilities",
        "model", "model_digest", "selection", "predicted_at",
    }  # fmt: skip
    assert sample["model"] == "small"
    assert sample["confidence"] == sample["probabilities"][sample["label"]]


def test_mqtt_3_1_1_devices_are_served_on_the_same_home(up: Up) -> None:
    old = Outside(up["mqtt3"], mqtt.MQTTv311)
    for i in range(10):
        old.send("old-device", {**READING, "id": f"old-{i}"}, f"old-{i}")
    old.settled()
    old.all_predicted()
    old.close()


@pytest.mark.parametrize("name", ["ingest", "inference", "redis", "api", "trainer"])
def test_a_killed_program_is_restarted_and_no_reading_is_lost(up: Up, outside: Outside, name: str, eventually) -> None:
    before = up.pids()[name]
    publishing = stream(outside, f"kill-{name}-{time.time_ns()}", 3.0)
    time.sleep(1.0)  # not a wait for a condition: the kill must be in mid-stream
    up.kill(name)
    publishing.join()
    outside.settled()
    outside.all_predicted()
    eventually(lambda: up.pids().get(name) not in (None, before), f"another {name}")
    eventually(lambda: up.ledger()["waiting"] == 0, "all to be settled")
    assert up.ledger()["unaccounted"] == 0


def test_a_killed_broker_is_restarted_and_the_stream_continues(up: Up, outside: Outside, eventually) -> None:
    """Messages that the embedded broker acknowledged but did not forward die with it, as it says; no others are lost.

    Mosquitto also forgets a subscription that is among its last hundred changes, and predictions before the subscriber
    is back would go to nobody. So 200 readings, each of them several changes, come between subscription and kill.
    """
    name, before = f"broker-{time.time_ns()}", up.pids()["broker"]
    stream(outside, f"{name}-before", 1.0).join()
    outside.settled()
    outside.all_predicted()
    up.kill("broker")
    publishing = stream(outside, f"{name}-after", 1.0)
    publishing.join()
    outside.settled()
    outside.all_predicted()
    eventually(lambda: up.pids().get("broker") not in (None, before), "another broker")
    assert up.ledger()["unaccounted"] == 0


def test_a_new_selection_is_applied_automatically(up: Up, outside: Outside, eventually) -> None:
    from registry.registry import Registry

    Registry.open(up["registry"]).save("second", upload(with_probabilities=False), by="test")
    status, answer = up.api("PUT", "/v1/selection", {"model": "second", "why": "test"})
    assert (status, answer["model"]) == (202, "second")
    eventually(lambda: up.api("GET", "/v1/selection")[1]["workers"] == {"live": 1, "of": 1, "refused": []}, "the swap")
    outside.send("swap", {**READING, "id": "after-the-swap"}, "after-the-swap")
    outside.settled()
    outside.all_predicted()
    (prediction,) = [p for p in outside.predictions if p["reading_id"] == "after-the-swap"]
    assert (prediction["model"], prediction["confidence"], prediction["probabilities"]) == ("second", None, None)
    up.api("PUT", "/v1/selection", {"model": "small"})
    eventually(lambda: up.api("GET", "/v1/selection")[1]["workers"]["live"] == 1, "the swap back")


def test_a_second_up_in_the_same_home_is_refused(up: Up) -> None:
    done = subprocess.run(
        [*COMMAND, "up", "--home", str(up.home)], capture_output=True, text=True, timeout=30, env=clean_environment()
    )
    assert done.returncode == 2
    assert "is in use by another zelador" in done.stderr
    assert done.stdout == ""


def test_a_stop_and_a_start_in_mid_stream_lose_nothing(tmp_path: Path, with_broker: dict[str, str]) -> None:
    home = tmp_path / "home"
    select_one(home / "registry")
    first = Up(home, environment=with_broker)
    outside = Outside(first["mqtt"])
    returns = outside._subscriber.on_connect

    def return_late(*arguments: object) -> None:
        time.sleep(1.0)  # the devices are back before it; iotcore has forgotten its subscription
        returns(*arguments)

    outside._subscriber.on_connect = return_late
    publishing = stream(outside, "restart", 8.0)
    time.sleep(2.0)  # in mid-stream
    assert first.stop() == 0
    held = len(outside.readings)
    assert held > 100
    with running(home, environment=with_broker) as second:
        assert second["mqtt"] == first["mqtt"]
        assert second["api"] == first["api"]
        assert second.said["admin_key"] is None
        publishing.join()
        outside.settled()
        outside.all_predicted()
        ledger = second.ledger()
        assert ledger["unaccounted"] == 0
        assert ledger["accepted"] >= len(outside.readings) > held
        assert second.api("GET", "/v1/models")[1]["models"][0]["name"] == "small"
    outside.close()


def test_a_stop_gives_the_broker_time_to_write(tmp_path: Path, eventually) -> None:
    """Mosquitto writes its whole queue when it is stopped, which took 3.5 s for 256 MiB on an idle disk. Killed before
    it had written, it lost its last changes: here, a subscription.
    """
    found_or_skip("mosquitto")
    mosquitto = {"ZELADOR_EMBEDDED__BROKER": "mosquitto", "ZELADOR_ARCHIVE__ENABLED": "false"}
    first = Up(tmp_path / "home", environment=mosquitto)
    outside = Outside(first["mqtt"])
    known: list[bool] = []
    outside._subscriber.on_connect = lambda _client, _data, flags, *_: known.append(flags.session_present)
    broker = first.pids()["broker"]
    os.kill(broker, signal.SIGSTOP)

    def write_late() -> None:
        eventually(lambda: "Received SIGTERM" in first.log.read_text(), "the stop of broker and Redis", 20.0)
        time.sleep(5.0)  # the time of a slow disk
        with contextlib.suppress(ProcessLookupError):
            os.kill(broker, signal.SIGCONT)

    writing = threading.Thread(target=write_late)
    writing.start()
    assert first.stop() == 0
    writing.join()
    with running(tmp_path / "home", environment=mosquitto):
        eventually(lambda: known, "the subscriber's return")
        outside.close()
    assert known == [True]


def test_without_a_model_readings_wait(tmp_path: Path, eventually) -> None:
    ports = choose(["api", "metrics"], {}, {})
    # Settings of the user that would spoil the embedded servers: they have their own. The API's port is used.
    spoiling = {
        "ZELADOR_MQTT__SHARED_GROUP": "g",
        "ZELADOR_METRICS__PORT": str(ports["metrics"]),
        "ZELADOR_API__PORT": str(ports["api"]),
    }
    with running(tmp_path / "home", environment=spoiling) as up:
        assert up["api"] == f"http://127.0.0.1:{ports['api']}"
        outside = Outside(up["mqtt"])
        for i in range(50):
            outside.send("early", {**READING, "id": f"early-{i}"}, f"early-{i}")
        outside.settled()
        eventually(lambda: up.ledger()["waiting"] == 50, "the readings to wait")
        with urllib.request.urlopen(up["api"] + "/readyz") as answer:
            assert "no model is selected" in json.loads(answer.read())["detail"]
        select_one(up["registry"])
        outside.all_predicted()
        assert up.ledger()["classified"] == 50
        outside.close()


def test_everything_dies_with_a_killed_up(tmp_path: Path, eventually) -> None:
    """With iotcore, where one server is a program of C, and the other one of Python."""
    with_broker = {"ZELADOR_EMBEDDED__BROKER": "iotcore"}
    up = Up(tmp_path / "home", environment=with_broker)
    pids = [pid for name, pid in up.pids().items()]
    up.process.send_signal(signal.SIGKILL)
    up.process.wait(60)
    eventually(lambda: not any(alive(pid) for pid in pids), "everything to end", 45)
    up.close()
    with running(tmp_path / "home", environment=with_broker) as again:  # the home can be used at once
        assert again.ledger()["unaccounted"] == 0


@pytest.mark.parametrize("option", ["--mqtt-port", "--redis-port", "--api-port", "ZELADOR_API__PORT"])
def test_a_port_in_use_is_one_line_before_any_server_starts(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        by_setting = option.startswith("ZELADOR")
        done = subprocess.run(
            [*COMMAND, "up", "--home", str(tmp_path / "home"), *([] if by_setting else [option, port])],
            capture_output=True, text=True, timeout=60,
            env={**clean_environment(), **({option: port} if by_setting else {})},
        )  # fmt: skip
    assert done.returncode == 2
    name = option.strip("-").split("-")[0] if not by_setting else "api"
    assert f"port {port} ({name}) is in use; choose another with {option}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
