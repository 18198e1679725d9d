"""The report of a soak: for people, and as one JSON object."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.faults.memory import HOW
from tests.faults.trial import Outcome


@dataclass(frozen=True)
class Report:
    """`recoveries`: what was killed, and the seconds to the first prediction of a reading published after it."""

    seconds: float
    rate: float
    seed: int
    servers: dict[str, str]
    outcome: Outcome
    kills: dict[str, int]
    kills_held: int  # of these, with work in flight on a wire that was then cut
    kills_unwritten: int  # of Redis, with confirmed but unwritten bytes
    filesystem: str  # of the data
    others: dict[str, int]
    ended_by_itself: dict[str, int]
    recoveries: list[tuple[str, float | None]]
    never_rested: str | None
    memory: dict[str, float | None]
    memory_over_s: dict[str, float]

    def whole(self) -> bool:
        """True if we lost nothing, the ledger closes, and every process came back."""
        return self.outcome.ours() is None and self.never_rested is None and self.not_recovered == 0

    @property
    def not_recovered(self) -> int:
        return sum(1 for _, seconds in self.recoveries if seconds is None)

    def recovery(self, share: float, of: str | None = None) -> float | None:
        """The nearest rank: of 8 kills, p99 is the slowest. `of` one component, or of all."""
        known = sorted(seconds for name, seconds in self.recoveries if seconds is not None and of in (None, name))
        return round(known[math.ceil(share * len(known)) - 1], 3) if known else None

    def flat(self) -> dict[str, object]:
        verdict = self.outcome.verdict
        return {
            "readings": verdict.readings,
            "kills": self.kills,
            "kills_total": sum(self.kills.values()),
            "kills_with_work_held": self.kills_held,
            "kills_with_bytes_unwritten": self.kills_unwritten,
            "filesystem": self.filesystem,
            "lost": len(verdict.lost),
            "lost_by_broker": verdict.lost_by_broker,
            "repeated": verdict.repeated,
            "unaccounted": self.outcome.ledger.unaccounted,
            "recovery_p50_s": self.recovery(0.50),
            "recovery_p99_s": self.recovery(0.99),
            "recovery_max_s": {name: self.recovery(1.0, name) for name in self.kills},
            "memory_growth": self.memory,
            "memory_over_s": self.memory_over_s,
            "readings_not_handed_on": len(verdict.not_handed_on),
            "predictions_not_passed_on": len(verdict.not_passed_on),
            "miscounted": self.outcome.differs,
            "waiting": self.outcome.ledger.waiting,
            "other_faults": self.others,
            "ended_by_itself": self.ended_by_itself,
            "not_recovered": self.not_recovered,
            "came_to_rest": self.never_rested is None,
            "rate": self.rate,
            "seed": self.seed,
            "seconds": self.seconds,
            "servers": self.servers,
        }

    def text(self) -> str:
        verdict, ledger = self.outcome.verdict, self.outcome.ledger
        kills = ", ".join(f"{name} {count}" for name, count in self.kills.items())
        others = ", ".join(f"{kind} {count}" for kind, count in sorted(self.others.items())) or "none"
        growth = ", ".join(
            f"{name} {'—' if grown is None else format(grown, '+.1f')} in {self.memory_over_s[name]:.0f} s"
            for name, grown in self.memory.items()
        )
        slowest = ", ".join(f"{name} {self.recovery(1.0, name)}" for name in self.kills)
        lines = [
            f"{self.seconds:g} s at {self.rate:g} readings a second, seed {self.seed}, "
            f"{self.servers['broker']} and {self.servers['redis']}, data on {self.filesystem}, kept busy with syncing",
            f"  readings acknowledged to the devices   {verdict.readings:12,}",
            f"  lost by us                             {len(verdict.lost):12,}",
            f"  lost by the broker                     {verdict.lost_by_broker:12,}   readings not handed on "
            f"{len(verdict.not_handed_on):,}, predictions not passed on {len(verdict.not_passed_on):,}",
            f"  predictions repeated                   {verdict.repeated:12,}",
            f"  the ledger's unaccounted               {ledger.unaccounted:12,}",
            f"  SIGKILLs                               {sum(self.kills.values()):12,}   {kills}; "
            f"{self.kills_held} with work on a stalled wire, "
            f"{self.kills_unwritten} of Redis with bytes answered and not written",
            f"  other faults                           {sum(self.others.values()):12,}   {others}",
            f"  recovery, p50 and p99                  {self.recovery(0.50)} s, {self.recovery(0.99)} s",
            f"  slowest recovery, s                    {slowest}",
            f"  memory, MB                             {growth}",
            f"  ({HOW})",
        ]
        if self.ended_by_itself:
            lines.append(f"  ended by itself, started again: {self.ended_by_itself}")
        if self.never_rested is not None:
            lines.append(f"  it did not come to rest: {self.never_rested}")
        if ours := self.outcome.ours():
            lines.append(f"  NOT WHOLE: {ours}")
        return "\n".join(lines)
