"""The priority of a process for the system's scheduler."""

from __future__ import annotations

import os


def yield_to_others(nice: int) -> None:
    """Lowers the priority of this process to `nice`, if it is higher: 0 is the usual one, 19 the lowest.

    Call it before threads start: each keeps the priority that it started with.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
