"""A finding: the result of one check, with what would be lost, when, and the exact fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

State = Literal["fine", "risky", "broken"]
FINE: State = "fine"
RISKY: State = "risky"  # works until the event in `lost` happens
BROKEN: State = "broken"  # does not work, or loses readings in normal operation
ORDER: tuple[State, ...] = (FINE, RISKY, BROKEN)


@dataclass(frozen=True, slots=True)
class Finding:
    check: str  # the name of the check, such as `broker.queue`
    state: State
    what: str
    lost: str | None = None  # what is lost, and when
    fix: str | None = None  # a command, a setting or a configuration line

    def flat(self) -> dict[str, str | None]:
        return asdict(self)


def fine(check: str, what: str) -> Finding:
    return Finding(check, FINE, what)


def risky(check: str, what: str, lost: str, fix: str) -> Finding:
    return Finding(check, RISKY, what, lost, fix)


def broken(check: str, what: str, lost: str, fix: str) -> Finding:
    return Finding(check, BROKEN, what, lost, fix)


def worst(findings: Iterable[Finding]) -> State:
    return max((found.state for found in findings), key=ORDER.index, default=FINE)
