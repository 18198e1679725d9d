"""docker-compose.yml, run for real (make test-compose): from readings outside to predictions, whatever is killed."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from command.up.ports import HOST
from tests.compose import OURS, Stack, command
from tests.outside import Outside
from tests.servers import containers_missing

if not os.environ.get("TEST_COMPOSE"):
    pytest.skip("builds every image: TEST_COMPOSE=1 (make test-compose)", allow_module_level=True)
if why := containers_missing() or (None if command() else "there is no docker-compose"):
    raise RuntimeError(f"TEST_COMPOSE=1 asks for containers, but {why}")

pytestmark = [pytest.mark.training, pytest.mark.timeout(3_600)]

HISTORY = 600
CANDIDATES = ["lr", "nb", "dt", "rf", "lightgbm"]  # the last one needs libgomp
numbers = itertools.count()


def send(outside: Outside, name: str, count: int, labeled: bool = False) -> None:
    draw = random.Random(7)
    for _ in range(count):
        reading = f"{name}-{next(numbers)}"
        temperature, vibration = draw.uniform(20, 90), draw.uniform(0, 5)
        message = {"id": reading, "lux": draw.uniform(0, 900), "temperature": temperature, "vibration": vibration}
        if labeled:
            message["label"] = "yes" if temperature + 10 * vibration + draw.gauss(0, 5) > 90 else "no"
        outside.send(f"machine-{draw.randrange(5)}", message, reading)


def stream(outside: Outside, name: str, seconds: float, rate: int = 200) -> threading.Thread:
    def publish() -> None:
        for _ in range(int(seconds * 20)):
            send(outside, name, rate // 20)
            time.sleep(0.05)

    thread = threading.Thread(target=publish)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("compose"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def first_day(stack: Stack) -> Iterator[dict[str, object]]:
    """The first steps of a user: readings, a run, a selection. Yields what was seen."""
    outside = stack.outside()
    send(outside, "history", HISTORY, labeled=True)
    outside.settled()
    stack.until(lambda: stack.ledger().get("waiting") == HISTORY, "the readings to wait for a model")
    status, run = stack.api("POST", "/v1/runs", {"candidates": CANDIDATES})
    assert status == 202, run
    stack.until(lambda: stack.api("GET", f"/v1/runs/{run['id']}")[1]["state"] in ("done", "failed"), "the run", 300)
    done = stack.api("GET", f"/v1/runs/{run['id']}")[1]
    assert done["state"] == "done", done
    name = done["models"][0]["name"]
    assert stack.api("PUT", "/v1/selection", {"model": name})[0] == 202
    outside.all_predicted()
    yield {"run": done, "model": name, "predicted": len(outside.counts()), "sample": outside.predictions[0]}
    outside.close()


@pytest.fixture
def outside(stack: Stack, first_day: object) -> Iterator[Outside]:
    """A device and a subscriber. After each test every reading is accounted for."""
    client = stack.outside()
    yield client
    client.close()
    stack.until(lambda: stack.ledger().get("waiting") == 0, "nothing to wait")
    assert stack.ledger()["unaccounted"] == 0


def test_readings_wait_until_a_model_is_trained_and_selected(first_day: dict) -> None:
    assert first_day["predicted"] == HISTORY
    assert first_day["sample"]["model"] == first_day["model"]
    assert len(first_day["run"]["models"]) == 5
    assert "LightGBM" in str(first_day["run"]["leaderboard"])


def test_a_model_that_passed_the_cage_is_known_to_other_containers(stack: Stack, first_day: object) -> None:
    code = "import os; print(*os.listdir(os.environ['XDG_CACHE_HOME'] + '/zelador/passed'))"
    passed = set(stack.python("inference", code).split())
    assert passed
    stack("up", "--detach", "--force-recreate", "--no-deps", "inference")
    assert passed <= set(stack.python("inference", code).split()) & set(stack.python("api", code).split())


def test_the_entries_of_a_killed_replica_are_taken_over(stack: Stack, outside: Outside) -> None:
    stack("up", "--detach", "--scale", "inference=2")
    stack.until(lambda: stack.workers().get("live") == 2, "two workers on the selected model")
    publishing = stream(outside, "replica", 6.0)
    time.sleep(2.0)  # in mid-stream
    stack.kill("inference")
    publishing.join()
    outside.settled()
    outside.all_predicted(90)
    assert len(outside.readings) == 1_200
    stack("up", "--detach", "--scale", "inference=1")


@pytest.mark.parametrize("service", ["ingest", "inference"])
def test_a_crashed_worker_is_started_again_and_nothing_is_lost(stack: Stack, outside: Outside, service: str) -> None:
    publishing = stream(outside, f"crash-{service}", 5.0)
    time.sleep(1.5)  # in mid-stream
    stack.crash(service)
    publishing.join()
    outside.settled()
    outside.all_predicted()
    assert len(outside.readings) == 1_000


def test_messages_queued_in_the_broker_survive_its_stop(stack: Stack, outside: Outside) -> None:
    stack("stop", "ingest")
    before = stack.ledger()
    send(outside, "queued", 500)
    outside.settled()
    stack("stop", "broker")
    stack("start", "broker")
    assert stack.ledger() == before  # they are only in the broker
    stack("start", "ingest")
    outside.all_predicted()
    assert len(outside.readings) == 500
    assert stack.ledger()["received"] - before["received"] == 500


def test_readings_waiting_in_redis_survive_its_kill(stack: Stack, outside: Outside) -> None:
    stack("stop", "inference")
    send(outside, "buffered", 500)
    outside.settled()
    stack.until(lambda: stack.ledger().get("waiting") == 500, "the readings to wait")
    time.sleep(1.5)  # appendfsync everysec
    stack.kill("redis")
    stack("start", "redis")
    stack.until(lambda: stack.ledger().get("waiting") == 500, "the readings to be there again")
    stack("start", "inference")
    outside.all_predicted()


def test_services_wait_for_their_servers(stack: Stack, outside: Outside) -> None:
    stack("stop", "broker", "redis")
    stack("restart", "ingest", "inference", "trainer", "api")
    stack("start", "broker", "redis")
    stack.until(stack.ready, "the API to be ready")
    send(outside, "late", 100)
    outside.settled()
    outside.all_predicted(90)


@pytest.mark.parametrize("given", [None, ("device", "wrong"), ("zelador", ""), ("nobody", "wrong")])
def test_the_broker_refuses_unknown_users(stack: Stack, given: tuple[str, str] | None) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    if given:
        client.username_pw_set(*given)
    answers: list[str] = []
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.append(str(reason))
    client.connect(HOST, stack.mqtt_port)
    deadline = time.monotonic() + 10
    while not answers and time.monotonic() < deadline:
        client.loop(0.2)
    client.disconnect()
    assert answers == ["Not authorized"]


def test_the_api_requires_a_key_and_is_healthy(stack: Stack) -> None:
    assert stack.api("GET", "/v1/ledger", key="zlk_wrong")[0] == 401
    inspect = ["docker", "inspect", "--format", "{{.State.Health.Status}}", stack.container("api")]
    stack.until(lambda: subprocess.check_output(inspect, text=True).strip() == "healthy", "the API to be healthy")


def test_the_console_has_its_pages_and_files(stack: Stack) -> None:
    """Only this test fails if an image lacks a template, a style sheet or the version of a package."""
    names = ("overview", "models", "devices", "quarantine", "runs", "training", "classify", "audit", "keys")
    pages = [stack.text(f"/console/{name}") for name in ("signin", *names)]
    files = set(re.findall(r'(?:href|src)="(/console/static/[^"]*)"', "".join(pages)))
    assert {Path(name).suffix for name in files} >= {".css", ".js", ".svg"}
    assert all(stack.text(name) for name in files)


def test_nothing_runs_as_root(stack: Stack) -> None:
    for service in ("broker", "redis", *OURS):
        users = [line for line in stack("exec", "-T", service, "cat", "/proc/1/status").splitlines() if "Uid:" in line]
        assert users and "\t0" not in users[0], (service, users)
    for service in OURS:
        assert stack.python(service, "import os; print(os.getuid())") == "10001"


def test_each_image_has_exactly_what_its_service_needs(stack: Stack) -> None:
    code = "from importlib.util import find_spec; print(*(n for n in {} if find_spec(n)))"
    asked = ("numpy", "lightgbm", "fastapi", "pycaret", "pyarrow", "pytest", "pip", "uv", "iotcore")
    for service, has in {
        "ingest": "",
        "inference": "numpy lightgbm",
        "archive": "numpy lightgbm pyarrow",
        "api": "numpy lightgbm fastapi pyarrow",
        "trainer": "numpy lightgbm pycaret pyarrow",
    }.items():
        found = stack.python(service, code.format(asked)).split()
        assert [name for name in found if name != "pip"] == has.split(), service  # a base image may have pip
        if "lightgbm" in has:
            assert stack.python(service, "import lightgbm; print('loads')") == "loads"


def test_no_secret_is_in_a_log_or_on_a_command_line(stack: Stack, outside: Outside) -> None:
    said = stack("logs") + subprocess.check_output(["docker", "ps", "--all", "--no-trunc"], text=True) + stack("top")
    assert "receiving readings from" in said
    for name, password in stack.passwords.items():
        assert password not in said, name
    assert "zlk_" not in said


def test_only_broker_and_api_are_published_and_only_on_the_loopback(stack: Stack) -> None:
    for service in ("broker", "redis", *OURS):
        found = subprocess.check_output(["docker", "port", stack.container(service)], text=True)
        assert bool(found) == (service in ("broker", "api")), found
        assert all(line.split(" -> ")[1].startswith(f"{HOST}:") for line in found.splitlines()), found
