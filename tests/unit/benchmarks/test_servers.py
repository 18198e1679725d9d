"""The environment with which the benchmark starts its programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.end_to_end import main
from benchmarks.servers import Stack, broker_config, worker_environment


def test_no_setting_of_the_person_who_runs_it_reaches_the_workers(tmp_path: Path) -> None:
    outside = {"PATH": "/bin", "ZELADOR_INGEST__BATCH": "1", "ZELADOR_CONFIG": "/mine.toml"}
    inside = worker_environment(outside, Stack(tmp_path, 1883, "redis://127.0.0.1:6379/0"), tmp_path, lane=True)
    assert inside["PATH"] == "/bin"
    assert {name for name in inside if name.startswith("ZELADOR_")} == {
        "ZELADOR_MQTT__URL",
        "ZELADOR_REDIS__URL",
        "ZELADOR_REDIS__PREFIX",
        "ZELADOR_REGISTRY__URL",
    }


def test_the_lane_is_named_only_to_switch_it_off(tmp_path: Path) -> None:
    stack = Stack(tmp_path, 1883, "redis://127.0.0.1:6379/0")
    assert worker_environment({}, stack, tmp_path, lane=False)["ZELADOR_MQTT__LANE"] == "false"


def test_the_broker_listens_on_the_loopback_with_the_settings_that_are_printed() -> None:
    lines = broker_config(1234).splitlines()
    assert lines[0] == "listener 1234 127.0.0.1"
    assert {"persistence false", "max_inflight_messages 1000", "max_queued_messages 0"} < set(lines)


def test_a_missing_program_is_one_line_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "found_program", lambda name: None if name == "mosquitto_sub" else f"/bin/{name}")
    monkeypatch.setattr("sys.argv", ["bench", "--quick"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs mosquitto_sub" in line
    assert "mosquitto-clients" in line
