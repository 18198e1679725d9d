"""A side thread repeats its step, survives every error, and ends with its event."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import Event

import pytest

from zelador.errors import Unavailable
from zelador.side_thread import SideThread


def run(answers: Iterator[float | Exception]) -> tuple[list[int], list[float], list[str]]:
    """Runs a side thread through `answers`; returns the errors in a row at each retry, each rest, and the calls."""
    stop, retries, rests, calls = Event(), list[int](), list[float](), list[str]()

    def step() -> float:
        answer = next(answers, None)
        if answer is None:
            stop.set()
            return 0.0
        if isinstance(answer, Exception):
            raise answer
        return answer

    def retry_s(errors: int) -> float:
        retries.append(errors)
        return 0.5

    thread = SideThread(
        "side",
        stop,
        step,
        trouble="nothing is swept",
        retry_s=retry_s,
        on_error=lambda: calls.append("error"),
        on_end=lambda: calls.append("end"),
        rest=rests.append,
    )
    thread.start()
    assert thread.join(60)
    return retries, rests, calls


def test_an_error_of_a_step_ends_neither_the_thread_nor_the_order_of_its_waits() -> None:
    retries, rests, calls = run(iter([0.1, Unavailable("away"), KeyError("never expected"), 0.2, OSError("gone")]))
    assert retries == [1, 2, 1]
    assert rests == [0.1, 0.5, 0.5, 0.2, 0.5, 0.0]
    assert calls == ["error", "error", "error", "end"]


def test_expected_trouble_is_logged_once_and_a_fault_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    run(iter([OSError("gone"), OSError("still gone"), KeyError("never expected")]))
    lines = [(record.levelno, record.getMessage(), record.exc_info is not None) for record in caplog.records]
    assert lines == [(logging.WARNING, "nothing is swept: gone", False), (logging.ERROR, "nothing is swept", True)]
