"""The priority of a process for the system's scheduler."""

from __future__ import annotations

import os


def yield_to_others(nice: int) -> None:
    """Lowers the priority of this process to `nice`, if it is higher: 0 is the usual one, 19 the lowest.

    To be called before threads are made, which keep the priority that they are made with.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, os.getpriority(os.PRIO_PROCESS, 0)))
