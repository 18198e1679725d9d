"""SIGTERM ends a process, whatever it is doing, and however many signals arrive at once."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import os
from command.process import stop_event
stop = stop_event()
print("ready", flush=True)
while not stop.wait(0.00001):  # the main thread nearly always has the event's lock, or is about to take it
    pass
os._exit(0)  # without the interpreter's own end, in which a further signal has its default effect
"""


def test_many_signals_at_once_end_a_process() -> None:
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            try:
                for _ in range(20):
                    process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0
            finally:
                process.kill()
