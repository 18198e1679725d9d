"""A home that an earlier version left: everything in it still works, and nothing that waited is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outside import Outside
from tests.servers import found_or_skip
from tests.up import COMMAND, Up, clean_environment, running

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())
A_CENTURY_S = str(100 * 365 * 86_400)  # what was kept when the home was made must not expire before the test runs


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    found_or_skip("mosquitto")
    home = tmp_path_factory.mktemp("upgrade") / "home"
    shutil.copytree(HERE / "home", home)
    (home.parent / "home.key").write_text(EXPECTED["key"])
    environment = {"ZELADOR_EMBEDDED__BROKER": "mosquitto", "ZELADOR_REDIS__KEEP_QUARANTINE_S": A_CENTURY_S}
    with running(home, environment=environment) as found:
        yield found


@pytest.fixture(scope="module")
def after(up: Up) -> dict[str, int]:
    """The ledger after the waiting readings are classified, before any other reading arrives."""
    deadline = time.monotonic() + 30
    while (ledger := up.ledger())["waiting"]:
        assert time.monotonic() < deadline, ledger
        time.sleep(0.05)
    return ledger


def test_waiting_readings_are_classified_and_the_ledger_closes(after: dict[str, int]) -> None:
    before = EXPECTED["ledger"]
    assert after["classified"] == before["classified"] + before["waiting"]
    assert after["unaccounted"] == 0
    for name in ("received", "accepted", "quarantined", "repeated"):
        assert after[name] == before[name]


def test_the_models_and_the_selection_are_kept(up: Up) -> None:
    status, page = up.api("GET", "/v1/models")
    assert status == 200
    assert {model["name"] for model in page["models"]} == set(EXPECTED["models"])
    status, history = up.api("GET", "/v1/selection/history")
    assert status == 200
    oldest = history["selections"][-1]  # another test may have selected since
    for name in ("model", "sequence", "by", "at", "why"):
        assert oldest[name] == EXPECTED["selection"][name]


def test_both_models_load_and_the_worker_serves_either(up: Up, eventually) -> None:
    reading = {"lux": 400.0, "temperature": 72.0, "vibration": 4.1}
    for name in [*EXPECTED["models"][1:], EXPECTED["models"][0]]:
        status, answer = up.api("POST", "/v1/classify", {"model": name, "readings": [reading]})
        assert status == 200, answer
        status, answer = up.api("PUT", "/v1/selection", {"model": name})
        assert status in (200, 202), answer
        eventually(lambda: up.api("GET", "/v1/selection")[1]["workers"]["live"] == 1, f"{name} to be live", 30.0)


def test_new_readings_are_classified(up: Up, after: dict[str, int]) -> None:
    outside = Outside(up["mqtt"])
    try:
        for number in range(20):
            outside.send(
                "press-00", {"lux": 400.0, "temperature": 50.0, "vibration": 1.0, "id": f"n-{number}"}, f"n-{number}"
            )
        outside.settled()
        outside.all_predicted()
    finally:
        outside.close()
    ledger = up.ledger()
    assert ledger["classified"] == after["classified"] + 20
    assert ledger["unaccounted"] == 0


def test_keys_audit_and_quarantine_can_be_read(up: Up) -> None:
    assert up.api("GET", "/v1/models", key=EXPECTED["viewer"])[0] == 200
    assert up.api("POST", "/v1/keys", {"role": "viewer"}, key=EXPECTED["viewer"])[0] == 403
    status, audit = up.api("GET", "/v1/audit")
    assert status == 200
    assert len(audit["changes"]) >= 2
    status, quarantine = up.api("GET", "/v1/quarantine")
    assert status == 200
    assert len(quarantine["entries"]) == EXPECTED["ledger"]["quarantined"]


def test_the_whole_registry_verifies(up: Up) -> None:
    command = [*COMMAND, "models", "verify", "--home", str(up.home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["whole"] is True
