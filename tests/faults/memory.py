"""Measures how the memory of each process grows during its life, with a fixed number of samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean

from tests.faults.process import Process

STABLE_S = 10.0  # once a process has loaded everything it fills its buffers: that is no growth
SAMPLES = 5  # at each end, of which the mean is taken
LONG_ENOUGH_S = 15.0  # between the first and the last of them
HOW = (
    f"resident MB: mean of the last {SAMPLES} samples (one a second) of a life less that of its first {SAMPLES} from "
    f"{STABLE_S:g} s after it was at work; of each process's longest life, null if none had {LONG_ENOUGH_S:g} s between"
)


@dataclass(slots=True)
class Life:
    first: list[float] = field(default_factory=list)
    last: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    seconds: float = 0.0  # from the first sample to the last

    @property
    def growth(self) -> float | None:
        return mean(self.last) - mean(self.first) if self.seconds >= LONG_ENOUGH_S else None


class Memory:
    def __init__(self) -> None:
        self._now: dict[str, tuple[int, float, Life]] = {}  # the process's life, its start, and its samples
        self._longest: dict[str, Life] = {}

    def sample(self, processes: Mapping[str, Process], now: float) -> None:
        """`now` as time.monotonic()."""
        for name, process in processes.items():
            resident = process.memory()
            since_work = process.at_work_since
            if resident is None or since_work is None or now - since_work < STABLE_S:
                continue
            lives, since, life = self._now.get(name, (0, 0.0, Life()))
            if lives != process.lives:
                lives, since, life = self._now[name] = (process.lives, now, Life())
            if len(life.first) < SAMPLES:
                life.first.append(resident)
            life.last.append(resident)
            life.seconds = now - since
            if life.seconds >= self._longest.setdefault(name, life).seconds:
                self._longest[name] = life

    def growth(self, names: list[str]) -> dict[str, float | None]:
        found = {name: self._longest.get(name, Life()).growth for name in names}
        return {name: None if grown is None else round(grown, 2) for name, grown in found.items()}

    def seconds(self, names: list[str]) -> dict[str, float]:
        return {name: round(self._longest.get(name, Life()).seconds, 1) for name in names}
