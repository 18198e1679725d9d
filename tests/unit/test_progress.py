"""Detecting a stalled worker that looks healthy."""

from __future__ import annotations

from threading import Event

import pytest

from zelador.watchdog import Facts, Watchdog, trouble

LIMIT = 30.0
WELL = Facts(turned_at=100.0, held=5, progressed_at=99.0)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (WELL, None),
        (Facts(100.0, held=0, progressed_at=0.0), None),  # nothing is held: idle, not stalled
        (Facts(100.0, held=1_000, progressed_at=69.0), "1000 messages are held and none has completed for 31 s"),
        (Facts(100.0, held=1_000, progressed_at=71.0), None),
        (
            Facts(100.0, held=7, progressed_at=0.0, why="more than 200000 readings wait to be classified"),
            "7 messages are held and none has completed for 100 s: more than 200000 readings wait to be classified",
        ),
        (
            Facts(100.0, redis_error="cannot store readings: OOM", redis_away_since=60.0),
            "for 40 s it cannot store readings: OOM",
        ),
        (Facts(100.0, redis_error="cannot store readings: OOM", redis_away_since=90.0), None),
        (Facts(100.0, disconnected_since=50.0), "there has been no connection to the broker for 50 s"),
        (Facts(100.0, refusal="OOM command not allowed"), "Redis refuses writes: OOM command not allowed"),
        (Facts(50.0), "its loop has been blocked for 50 s"),
    ],
)
def test_the_causes_of_a_stall_are_detected(facts: Facts, said: str | None) -> None:
    assert trouble(facts, 100.0, LIMIT) == said


def test_the_most_direct_cause_is_reported_first() -> None:
    stuck = Facts(0.0, held=5, progressed_at=0.0, redis_error="cannot store readings: OOM", redis_away_since=1.0)
    assert "OOM" in (trouble(stuck, 100.0, LIMIT) or "")


def test_the_watchdog_logs_a_stall_once_and_its_end(eventually, caplog, monkeypatch) -> None:
    monkeypatch.setattr("zelador.watchdog.POLL_S", 0.01)
    caplog.set_level("INFO")
    stop, heard, now_well = Event(), list[bool](), Event()
    dead, well = Facts(float("-inf")), Facts(float("inf"))
    dog = Watchdog(lambda: well if now_well.is_set() else dead, LIMIT, stop, heard.append)
    dog.start()
    eventually(lambda: heard.count(True) > 3, "some looks")
    now_well.set()
    eventually(lambda: False in heard, "a good look")
    eventually(lambda: "making progress again" in caplog.messages, "the good news")
    stop.set()
    assert sum("stalled: " in said for said in caplog.messages) == 1
