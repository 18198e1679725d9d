"""A finding: one line of the doctor's, with what is lost when, and the exact mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["fine", "risky", "broken"]
FINE: State = "fine"
RISKY: State = "risky"  # works, until what `lost` names happens
BROKEN: State = "broken"  # does not work, or loses readings in ordinary operation
ORDER: tuple[State, ...] = (FINE, RISKY, BROKEN)


@dataclass(frozen=True, slots=True)
class Finding:
    check: str  # what was looked at: `broker.queue`
    state: State
    what: str
    lost: str | None = None  # what is lost, and when
    mend: str | None = None  # a command, a setting or a line of a configuration

    def flat(self) -> dict[str, str | None]:
        return asdict(self)


def fine(check: str, what: str) -> Finding:
    return Finding(check, FINE, what)


def risky(check: str, what: str, lost: str, mend: str) -> Finding:
    return Finding(check, RISKY, what, lost, mend)


def broken(check: str, what: str, lost: str, mend: str) -> Finding:
    return Finding(check, BROKEN, what, lost, mend)


def worst(findings: Iterable[Finding]) -> State:
    return max((found.state for found in findings), key=ORDER.index, default=FINE)
