"""`zelador doctor` on real servers: default settings, our own, stopped servers, wrong passwords."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from command.doctor.broker_facts import PROBE_MESSAGES, try_queue
from command.doctor.examine import examine
from command.doctor.mqtt import Session
from command.doctor.outage import Queue
from command.doctor.processes import Chosen
from command.doctor.registry import check
from command.up.ports import HOST, choose
from command.up.servers import broker_server
from registry.registry import Registry
from registry.restored.last_seen import LastSeen, Seen
from registry.store import open_store
from tests.s3_server import BUCKET, run_s3
from tests.servers import found_or_skip, run_broker, run_process
from tests.small_models import select_one
from tests.up import COMMAND, clean_environment
from zelador.settings import MqttSettings, RegistrySettings, Settings

pytestmark = pytest.mark.long

PASSWORD = "not-to-be-shown"


class Result:
    def __init__(self, done: subprocess.CompletedProcess[str], seconds: float) -> None:
        self.code, self.text, self.seconds = done.returncode, done.stdout + done.stderr, seconds
        self.document = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        self.findings = {found["check"]: found for found in self.document.get("findings", [])}

    def state(self, check: str) -> str | None:
        return self.findings.get(check, {}).get("state")


def doctor(folder: Path, *arguments: str, mqtt: str, redis_url: str, **variables: str) -> Result:
    given = {"ZELADOR_MQTT__URL": mqtt, "ZELADOR_REDIS__URL": redis_url, "ZELADOR_REGISTRY__URL": "registry"}
    began = time.monotonic()
    done = subprocess.run(
        [*COMMAND, "doctor", *arguments],
        capture_output=True, text=True, timeout=60, check=False, cwd=folder,
        env={**clean_environment(), **given, **variables},
    )  # fmt: skip
    return Result(done, time.monotonic() - began)


@contextlib.contextmanager
def redis_with(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = choose(["redis"], {}, {})["redis"]
    program = found_or_skip("redis-server")
    command = (program, "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "", *options)
    with run_process(command, port) as process:
        url, deadline = f"redis://{HOST}:{port}/0", time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
                with contextlib.suppress(redis.AuthenticationError):
                    client.ping()
                break
        yield url, process


@contextlib.contextmanager
def mosquitto_with(folder: Path, text: str) -> Iterator[tuple[str, Path, subprocess.Popen[bytes]]]:
    port = choose(["mqtt"], {}, {})["mqtt"]
    program = found_or_skip("mosquitto")
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} {HOST}\n{text}")
    with run_process((program, "-c", str(config)), port) as process:
        yield f"mqtt://{HOST}:{port}", config, process


def test_servers_with_default_settings_are_broken(tmp_path: Path) -> None:
    with mosquitto_with(tmp_path, "allow_anonymous true\n") as (mqtt, config, _), redis_with(tmp_path) as (url, _):
        result = doctor(tmp_path, "--json", mqtt=mqtt, redis_url=url)
        by_file = doctor(tmp_path, "--json", "--no-probe", "--mosquitto-conf", str(config), mqtt=mqtt, redis_url=url)
    assert (result.code, result.document["state"]) == (1, "broken")
    assert (result.document["rate"], result.document["outage_s"]) == (0.0, None)
    assert result.document["queue"] == {"messages": 1_000, "bytes": None, "at_least": False}
    assert "covers 10 s of outage at 100 readings/s (no readings now)" in result.findings["broker.queue"]["what"]
    assert "max_queued_messages 1000000" in result.findings["broker.queue"]["fix"]
    assert (result.state("broker.queue"), result.state("broker.persistence")) == ("broken", "risky")
    assert (result.state("redis.appendonly"), result.state("redis.maxmemory-policy")) == ("broken", "fine")
    assert (result.state("process.ingest"), result.state("registry")) == ("broken", "risky")
    assert not (tmp_path / "registry").exists()
    assert (by_file.state("broker.queue"), by_file.state("broker.persistence")) == ("broken", "broken")


def test_the_fixes_work(tmp_path: Path) -> None:
    """With the configuration that the fixes ask for, the same checks are fine."""
    fixed = (
        "allow_anonymous true\nuser root\npersistence true\nautosave_on_changes true\nautosave_interval 100\n"
        f"max_queued_messages 1000000\nmax_queued_bytes 268435456\npersistence_location {tmp_path}/\n"
    )
    aof = ("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction")
    select_one(tmp_path / "registry")
    with mosquitto_with(tmp_path, fixed) as (mqtt, config, _), redis_with(tmp_path, *aof) as (url, _):
        given = Settings(mqtt={"url": mqtt}, redis={"url": url}, registry={"url": str(tmp_path / "registry")})
        report = examine(given, check, None, config, probe=True)
        with redis.Redis.from_url(url) as client:
            assert client.keys("*") == []
    states = {found.check: found.state for found in report.findings if not found.check.startswith("process.")}
    assert {name: state for name, state in states.items() if state != "fine"} == {}
    assert {"broker.queue", "broker.persistence", "broker.dropped", "selection", "disk.broker"} <= set(states)
    assert report.queue == Queue(1_000_000, 268_435_456)


def test_dead_servers_are_reported_at_once_and_hung_ones_within_the_limit(tmp_path: Path) -> None:
    ports = choose(["mqtt", "redis"], {}, {})
    mqtt, url = f"mqtt://{HOST}:{ports['mqtt']}", f"redis://{HOST}:{ports['redis']}/0"
    dead = doctor(tmp_path, "--json", mqtt=mqtt, redis_url=url)
    with mosquitto_with(tmp_path, "allow_anonymous true\n") as (mqtt, _, broker), redis_with(tmp_path) as (url, store):
        for process in (broker, store):
            process.send_signal(signal.SIGSTOP)
        try:
            stopped = doctor(tmp_path, "--json", mqtt=mqtt, redis_url=url)
        finally:
            for process in (broker, store):
                process.send_signal(signal.SIGCONT)
    for result in (dead, stopped):
        assert (result.code, result.state("broker"), result.state("redis")) == (1, "broken", "broken")
        assert result.seconds < 20.0
        assert result.document["rate"] is None


def test_wrong_passwords_and_refused_topics_are_named_and_no_password_is_shown(tmp_path: Path) -> None:
    passwords, access = tmp_path / "passwords", tmp_path / "access"
    subprocess.run([found_or_skip("mosquitto_passwd"), "-b", "-c", passwords, "zelador", PASSWORD], check=True)
    access.write_text("user zelador\ntopic read sensors/+/reading\ntopic readwrite zelador/#\ntopic read $SYS/#\n")
    closed = (
        f"allow_anonymous false\npassword_file {passwords}\nacl_file {access}\nuser {os.environ.get('USER', 'root')}\n"
    )
    for path in (passwords, access):
        path.chmod(0o644)
    acl = ("--requirepass", PASSWORD, "--user", "asker", "on", f">{PASSWORD}", "~*", "+@all", "-config")
    with mosquitto_with(tmp_path, closed) as (mqtt, _, _), redis_with(tmp_path, *acl) as (url, _):
        wrong = doctor(
            tmp_path, "--no-probe",
            mqtt=mqtt.replace("//", "//zelador:wrong-word@"), redis_url=url.replace("//", "//:wrong-word@"),
        )  # fmt: skip
        right = doctor(
            tmp_path, "--json",
            mqtt=mqtt.replace("//", f"//zelador:{PASSWORD}@"), redis_url=url.replace("//", f"//asker:{PASSWORD}@"),
        )  # fmt: skip
    assert wrong.code == 1
    assert "it refused the connection: Not authorized" in wrong.text
    assert "fix: set ZELADOR_REDIS__URL=redis://USER:PASSWORD@" in wrong.text
    assert "wrong-word" not in wrong.text
    assert PASSWORD not in right.text
    assert right.state("topics.access") == "broken"
    assert "write sensors/zelador-doctor/prediction" in right.findings["topics.access"]["what"]
    assert "topic write sensors/+/prediction" in right.findings["topics.access"]["fix"]
    assert right.state("redis.appendfsync") == "risky"  # CONFIG is refused to that user
    assert "refuses CONFIG GET" in right.findings["redis.appendfsync"]["what"]


@pytest.mark.parametrize("kind", ["local", "embedded"])
def test_the_probe_leaves_no_session_behind(kind: str, mark: str) -> None:
    if kind == "local":
        found_or_skip("mosquitto")
    with run_broker(kind) as running:
        mqtt = MqttSettings(url=running.url)
        found = try_queue(mqtt, mark, 5.0)
        assert (found.published, found.kept, found.session_present) == (PROBE_MESSAGES, PROBE_MESSAGES, True)
        again = Session(mqtt, f"{mark}-queue", 5.0, clean=False)
        again.until(lambda: again.inbox, 0.5)
        assert again.inbox == []
        assert kind == "embedded" or not again.session_present
        again.close()


def test_a_wrong_option_exits_with_2(tmp_path: Path) -> None:
    nowhere = {"mqtt": f"mqtt://{HOST}:1", "redis_url": f"redis://{HOST}:1/0"}
    assert doctor(tmp_path, "--home", str(tmp_path), **nowhere).code == 2
    assert doctor(tmp_path, "--mosquitto-conf", str(tmp_path / "none.conf"), **nowhere).code == 2
    broker_server(tmp_path, 1, 2, "iotcore")
    result = doctor(tmp_path, "--json", "--mosquitto-conf", str(tmp_path / "broker.toml"), **nowhere)
    assert (result.code, result.state("broker")) == (1, "broken")


def test_a_damaged_model_is_found_and_the_registry_is_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    select_one(folder)
    given = RegistrySettings(url=str(folder))
    before = sorted(folder.rglob("*"))
    assert [found.state for found in check(given)[0]] == ["fine", "fine"]
    assert check(given)[1] == Chosen("small", 3)
    (golden,) = folder.rglob("golden.json")
    golden.write_bytes(golden.read_bytes() + b" ")
    found, _ = check(given)
    assert [one.state for one in found] == ["broken", "broken"]
    assert "golden.json" in found[0].what
    assert sorted(folder.rglob("*")) == before
    (folder / "log" / "00000002.json").write_bytes(b"{}")
    (found,), chosen = check(given)
    assert (found.check, found.state, chosen) == ("registry", "broken", None)


def test_a_selected_model_that_the_plant_cannot_feed_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    select_one(folder)
    given = RegistrySettings(url=str(folder))
    assert [found.state for found in check(given, None, ("lux", "temperature", "vibration"))[0]] == ["fine", "fine"]
    found = check(given, None, ("lux", "temperature"))[0][1]
    assert (found.check, found.state) == ("selection", "broken")
    assert "needs vibration, which ZELADOR_FEATURES does not list" in found.what


def test_an_unsigned_registry_is_found(tmp_path: Path) -> None:
    url = str(tmp_path / "registry")
    select_one(url)
    (found,), _ = check(RegistrySettings(url=url, signing_key="ab" * 32))
    assert found.state == "broken"
    assert "is not signed by a key" in found.what


def test_an_empty_bucket_stays_empty() -> None:
    with run_s3() as options:
        url = f"s3://{BUCKET}/registry"
        given = RegistrySettings(url=url, bucket=tuple(f"{name}={value}" for name, value in options.items()))
        (found,), chosen = check(given)
        assert (found.check, found.state, chosen) == ("registry", "risky", None)
        assert list(open_store(url, options).list("log")) == []
        Registry.open(given)
        assert [one.state for one in check(given)[0]] == ["fine", "risky"]  # whole, nothing selected


def test_a_registry_other_than_the_one_last_seen_is_broken(tmp_path: Path, redis_url: str, mark: str) -> None:
    registry = select_one(tmp_path / "registry")
    first = Seen(registry.state.registry, 3, registry.state.etag, "2026-11-24T10:00:00.000Z", "the API")
    given = RegistrySettings(url=str(tmp_path / "registry"))
    assert [found.state for found in check(given, first)[0]] == ["fine", "fine", "fine"]
    later = Seen(registry.state.registry, 9, "seq-0123456789abcdef", "2026-11-24T10:00:00.000Z", "the API")
    nowhere = f"mqtt://{HOST}:{choose(['mqtt'], {}, {})['mqtt']}"
    with redis.Redis.from_url(redis_url) as client:
        LastSeen(client, mark).accept(later)
        result = doctor(tmp_path, "--json", mqtt=nowhere, redis_url=redis_url, ZELADOR_REDIS__PREFIX=mark)
        assert result.state("registry.last_seen") == "broken"
        assert "its log ends before entry 9" in result.findings["registry.last_seen"]["what"]
        assert "zelador models accept" in result.findings["registry.last_seen"]["fix"]
        (tmp_path / "registry").rename(tmp_path / "elsewhere")
        result = doctor(tmp_path, "--json", mqtt=nowhere, redis_url=redis_url, ZELADOR_REDIS__PREFIX=mark)
        assert result.state("registry") == "broken"
        assert not (tmp_path / "registry").exists()
