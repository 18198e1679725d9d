"""Measures CPU time by process and the share of the machine used by others; describes the machine."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from benchmarks.servers import Failed, version

# Interrupts are caused by our own loopback traffic and are in no process's account. Guest time is part of user time.
NOT_OTHERS = ("idle", "iowait", "irq", "softirq", "guest", "guest_nice")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters at one moment: CPU seconds of our processes, of this process and of the machine; readings received."""

    at: float
    by_process: Mapping[str, float]
    own: float
    machine: float
    received: int


@dataclass(frozen=True, slots=True)
class Use:
    """CPU use between two snapshots."""

    cpu_us: Mapping[str, float]  # per reading
    others: float  # share of the machine used by other processes


def snapshot(pids: Mapping[str, int], received: int) -> Snapshot:
    by_process = {name: _cpu_s(pid, family=True) for name, pid in pids.items()}
    return Snapshot(time.monotonic(), by_process, _cpu_s(os.getpid()), _busy_s(), received)


def use(before: Snapshot, after: Snapshot, cores: int | None = None) -> Use:
    """The CPU use between two snapshots, of the processes in `before`."""
    readings = max(1, after.received - before.received)
    spent = {name: after.by_process[name] - value for name, value in before.by_process.items()}
    ours = sum(spent.values()) + after.own - before.own
    capacity = (after.at - before.at) * (cores or psutil.cpu_count() or 1)
    others = (after.machine - before.machine - ours) / capacity if capacity > 0 else 0.0
    return Use({name: 1e6 * value / readings for name, value in spent.items()}, max(0.0, others))


def machine() -> dict[str, str]:
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "mosquitto": version("mosquitto", "-h"),
        "redis": version("redis-server", "--version"),
    }


def _cpu_s(pid: int, family: bool = False) -> float:
    """The CPU time of a process. With `family`, includes its children, running or ended (Redis forks to rewrite)."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
    except psutil.Error as error:
        raise Failed(f"a process of the benchmark is gone: {error}") from None
    spent = float(times.user + times.system)
    if family:
        spent += times.children_user + times.children_system
        for child in process.children():
            with contextlib.suppress(psutil.Error):  # the child may have ended
                spent += sum(child.cpu_times()[:2])
    return spent


def _busy_s() -> float:
    """The machine's CPU time that was not idle, including time that a hypervisor gave to other machines."""
    return float(sum(value for name, value in psutil.cpu_times()._asdict().items() if name not in NOT_OTHERS))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - a file of the kernel
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
