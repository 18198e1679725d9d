"""The process that trains a run, as the run's document names it, so that a run whose process was killed is found."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypedDict

GRACE_S = 900.0  # beyond the limit of a run, for the work after it


class TrainerFacts(TypedDict):
    """`began` tells a process from a later one of the same number. After `until` the run has ended in any case."""

    host: str
    pid: int
    began: str
    until: str  # ISO 8601, UTC


def this_process(limit_s: float) -> TrainerFacts:
    """`limit_s`: how long a run may take."""
    until = datetime.now(timezone.utc) + timedelta(seconds=limit_s + GRACE_S)
    pid = os.getpid()
    return TrainerFacts(
        host=socket.gethostname(), pid=pid, began=began_of(pid) or "", until=until.isoformat(timespec="seconds")
    )


def death_of(
    facts: TrainerFacts | None,
    host: str | None = None,
    now: datetime | None = None,
    began: Callable[[int], str | None] | None = None,
) -> str | None:
    """Returns why a run that its document calls active has ended; None if it may still be running.

    A process of another machine, or container, cannot be seen: its time limit says when it must be over.
    """
    if facts is None:
        return None
    if (now or datetime.now(timezone.utc)) > datetime.fromisoformat(facts["until"]):
        return "its trainer ended without reporting; start the run again"
    found = (began or began_of)(facts["pid"])
    if facts["host"] == (host or socket.gethostname()) and found != facts["began"]:
        return f"its trainer (process {facts['pid']}) was killed in the middle of this run; start the run again"
    return None


def began_of(pid: int) -> str | None:
    """When the process began, in a form that only it has; None if there is none. Empty where the system does not say.

    A process that has ended and waits for its parent counts as gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _signaled(pid)
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else f"{boot}/{fields[19]}"


def _signaled(pid: int) -> str | None:
    """Without /proc: is there such a process?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""
