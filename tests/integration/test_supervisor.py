"""A stop while a program hangs: it is said soon, the program is killed at the limit, and the others end at once."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from command.up import supervisor
from command.up.supervisor import Supervisor

HANGS = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""


def test_a_program_that_hangs_is_named_then_killed(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    eventually: Callable[..., None],
) -> None:
    monkeypatch.setattr(supervisor, "SAID_S", 0.1)
    with (tmp_path / "output").open("wb") as output:
        programs = Supervisor(output)
        programs.add("broker", [sys.executable, "-c", HANGS, str(tmp_path / "begun")])
        programs.add("redis", [sys.executable, "-c", "import time; time.sleep(600)"])
        eventually((tmp_path / "begun").exists, "the program to begin")
        pids = programs.pids()
        with caplog.at_level(logging.WARNING):
            programs.stop(["broker", "redis"], 1.0)
    assert caplog.messages == [
        "broker has not stopped yet; it is killed 1 s after the request",
        "broker did not stop in 1 s; killing it",
    ]
    for pid in pids.values():
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
