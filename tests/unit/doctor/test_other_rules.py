"""The doctor's checks of settings, processes, clocks and disks, from facts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from command.doctor import Finding, disk, processes, worst
from command.doctor.command import lines, summary
from command.doctor.configured import configured, overlap
from command.doctor.examine import Report
from command.doctor.outage import Queue
from command.doctor.processes import Beat, Chosen
from command.doctor.registry import alarms
from registry.log.state import Model
from zelador.settings import MqttSettings, RedisSettings, Settings


def states(settings: Settings) -> dict[str, str]:
    return {found.check: found.state for found in configured(settings)}


def test_the_defaults_are_fine() -> None:
    assert set(states(Settings()).values()) == {"fine"}


@pytest.mark.parametrize(
    ("one", "other", "overlaps"),
    [
        ("sensors/{device_id}/reading", "sensors/{device_id}/prediction", False),
        ("sensors/{device_id}/reading", "sensors/{device_id}/reading", True),
        ("sensors/{device_id}", "{device_id}/prediction", True),  # the device "prediction", and the device "sensors"
        ("{device_id}/x", "zelador/status/x", False),
        ("zelador/{device_id}/x/y", "zelador/status/{service}/{instance}", True),
    ],
)
def test_overlapping_templates_are_detected(one: str, other: str, overlaps: bool) -> None:
    assert overlap(one, other) is overlaps
    assert overlap(other, one) is overlaps


@pytest.mark.parametrize(
    ("changed", "check", "state"),
    [
        ({"topics": {"reading": "a/{device_id}", "prediction": "{device_id}/b"}}, "topics", "broken"),
        ({"topics": {"reading": "zelador/status/{device_id}/b"}}, "topics", "broken"),
        ({"ingest": {"client_id": " "}}, "session", "broken"),
        ({"mqtt": {"session_expiry_s": 60}}, "session", "risky"),
        ({"mqtt": {"url": "mqtt://broker.example"}}, "broker.access", "risky"),
        ({"mqtt": {"url": "mqtt://u:secret@broker.example"}}, "broker.access", "risky"),
        ({"mqtt": {"url": "mqtts://u:secret@broker.example"}}, "broker.access", "fine"),
        ({"mqtt": {"url": "mqtts://broker.example", "certificate_file": "c.pem"}}, "broker.access", "fine"),
        ({"mqtt": {"url": "mqtt://[::1]:1883"}}, "broker.access", "fine"),
        ({"redis": {"url": "redis://10.0.0.7:6379/0"}}, "redis.access", "risky"),
        ({"redis": {"url": "rediss://:secret@10.0.0.7:6379/0"}}, "redis.access", "fine"),
        ({"redis": {"url": "unix:///run/redis.sock"}}, "redis.access", "fine"),
    ],
)
def test_only_the_risky_setting_is_named(changed: dict, check: str, state: str) -> None:
    found = states(Settings(**changed))
    assert found.pop(check) == state
    assert set(found.values()) == {"fine"}


def test_no_password_is_ever_shown() -> None:
    settings = Settings(
        mqtt=MqttSettings(url="mqtt://broker.example", username="u", password="secret"),
        redis=RedisSettings(url="redis://:secret@redis.example"),
    )
    assert "secret" not in str(list(configured(settings)))


# ── processes ────────────────────────────────────────────────────────────────────────────────────

NOW = 1_795_000_000.0


def beat(service: str, ahead_s: float = 0.0, **said: str) -> Beat:
    at = str(int((NOW - 1.0 + ahead_s) * 1000))
    return Beat({"service": service, "instance": f"{service}-1", "at": at, **said}, 1.0, NOW)


ALL = [
    beat("ingest", connected_at="1", holding="false"),
    beat("inference", connected_at="1", selection="7"),
    beat("trainer", state="idle"),
]


def judged(beats: list[Beat], chosen: Chosen | None = None) -> dict[str, str]:
    return {found.check: found.state for found in processes.judge(beats, chosen)}


def test_running_processes_are_fine() -> None:
    assert set(judged(ALL, Chosen("m", 7)).values()) == {"fine"}


def test_a_missing_process_is_named() -> None:
    assert judged([]) == {"process.ingest": "broken", "process.inference": "risky", "process.trainer": "risky"}


def test_a_disconnected_or_paused_ingester_is_named() -> None:
    assert judged([beat("ingest", connected_at="")])["process.ingest"] == "broken"
    assert judged([beat("ingest", connected_at="1", holding="true")])["process.ingest"] == "risky"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"selection": "8"}, "fine"),
        ({"selection": "7"}, "risky"),
        ({"selection": "7", "refused_selection": "8", "refused_reason": "digest"}, "broken"),
    ],
)
def test_a_selection_that_is_not_live_everywhere_is_named(said: dict[str, str], state: str) -> None:
    assert judged([beat("inference", connected_at="1", **said)], Chosen("m", 8))["selection.rollout"] == state


@pytest.mark.parametrize(("off", "state"), [(0.4, "fine"), (-3.0, "risky"), (61.0, "broken"), (-90_000.0, "broken")])
def test_a_clock_that_is_off_is_named(off: float, state: str) -> None:
    by_redis, by_process = processes.clocks(off, [*ALL, beat("inference", off)])
    assert (by_redis.state, by_process.state) == (state, state)
    assert state == "fine" or "inference" in by_process.what


@pytest.mark.parametrize(("free", "state"), [(10**8, "broken"), (10**9, "risky"), (10**11, "fine"), (None, "risky")])
def test_little_free_space_is_named(free: int | None, state: str) -> None:
    assert disk.judge("redis", Path("/data"), free).state == state


def test_a_folder_that_does_not_exist_yet_has_the_space_of_its_parent(tmp_path: Path) -> None:
    assert disk.free_bytes(tmp_path / "a" / "b")


# ── the report ───────────────────────────────────────────────────────────────────────────────────

FINE, RISKY, BROKEN = (
    Finding("a", "fine", "x"),
    Finding("b", "risky", "y", "l", "m"),
    Finding("c", "broken", "z", "l", "m"),
)


def test_the_state_of_the_report_is_the_worst_one() -> None:
    assert worst([]) == "fine"
    assert worst([FINE, RISKY]) == "risky"
    assert worst([BROKEN, RISKY, FINE]) == "broken"


def test_the_report_has_the_outage_that_is_covered() -> None:
    report = Report([FINE, RISKY], 100.0, 10_000.0, Queue(1_000_000, None))
    assert summary(report) == (
        "1 risky, 1 fine; the broker's queue covers 10,000 s of outage at the current 100 readings/s"
    )
    flat = report.flat()
    assert (flat["state"], flat["outage_s"], flat["rate"]) == ("risky", 10_000.0, 100.0)
    assert flat["findings"][1] == {"check": "b", "state": "risky", "what": "y", "lost": "l", "fix": "m"}


def test_a_finding_that_is_not_fine_shows_its_loss_and_fix_below() -> None:
    assert [line.plain.strip() for line in lines(BROKEN, plain=True)][1:] == ["lost: l", "fix: m"]
    assert len(lines(FINE, plain=True)) == 1


def test_a_process_that_misses_registry_entries_is_named() -> None:
    found = processes.judge([beat("inference", registry_trouble="the registry lost entries")], None)
    (result,) = [one for one in found if one.check == "process.inference"]
    assert (result.state, "the registry lost entries" in result.what) == ("risky", True)


# ── alarms ───────────────────────────────────────────────────────────────────────────────────────

TWO = {"data": {"classes": {"no": 90, "yes": 10}}}


@pytest.mark.parametrize(
    ("metadata", "classes", "wanted", "state", "says"),
    [
        (TWO, ("no", "yes"), None, "fine", "yes of m"),
        (TWO, ("no", "yes"), ("no",), "fine", "no of m"),
        (TWO, ("no", "yes"), ("fault",), "risky", "has no label fault"),
        ({}, ("a", "b", "c"), None, "risky", "which label"),
        ({"data": {"classes": None}}, ("a", "b"), None, "risky", "which label"),
    ],
)
def test_a_model_whose_labels_are_no_alarms_is_named(
    metadata: dict[str, object], classes: tuple[str, ...], wanted: tuple[str, ...] | None, state: str, says: str
) -> None:
    (found,) = alarms(Model("m", "u", "d", metadata, "t", "by"), classes, wanted)
    assert found.state == state and says in found.what
