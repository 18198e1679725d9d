"""Passes on a program's output without the lines that help nobody."""

from __future__ import annotations

import os
import re
import threading
from typing import IO

MAX_LINE = 4_096  # bytes; longer lines are passed on in parts


def without(noise: str, output: IO[bytes]) -> int:
    """Returns a file descriptor for a program's output. A thread copies it to `output` until the program closes it."""
    reader, writer = os.pipe()
    thread = threading.Thread(
        target=_copy, args=(reader, re.compile(noise.encode()), output), name="output", daemon=True
    )
    thread.start()
    return writer


def _copy(reader: int, noise: re.Pattern[bytes], output: IO[bytes]) -> None:
    with os.fdopen(reader, "rb") as source:
        while line := source.readline(MAX_LINE):
            if not noise.search(line):
                try:
                    output.write(line)
                    output.flush()
                except (OSError, ValueError):  # `output` is closed; keep reading, so that the program never blocks
                    continue
