"""Our own processes by their heartbeats: who is there, connected, on the selected model, with a right clock. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from command.doctor.finding import Finding, broken, fine, risky

CLOCK_OFF_S, CLOCK_WRONG_S = 1.0, 60.0
COMMANDS = {"ingest": "ingest", "inference": "infer", "trainer": "trainer"}


@dataclass(frozen=True, slots=True)
class Beat:
    """One process's last word: what it said, how many seconds ago, and Redis's time when we read it."""

    said: Mapping[str, str]
    age_s: float
    redis_now: float

    @property
    def service(self) -> str:
        return self.said.get("service", "")

    @property
    def name(self) -> str:
        return f"{self.service} {self.said.get('instance', '')}"

    @property
    def seconds_ahead(self) -> float:
        """Its clock less Redis's, at the moment of its word."""
        return int(self.said.get("at") or 0) / 1000 - (self.redis_now - self.age_s)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The registry's selection, as far as the workers have to know it."""

    model: str
    sequence: int


def judge(beats: Sequence[Beat], chosen: Chosen | None) -> Iterator[Finding]:
    for service, missing in (
        ("ingest", broken),
        ("inference", risky),
        ("trainer", risky),
    ):
        found = [beat for beat in beats if beat.service == service]
        if found:
            yield from _present(service, found)
        else:
            yield missing(
                f"process.{service}", "no heartbeat: none runs", _lost(service), f"zelador {COMMANDS[service]}"
            )
    if chosen is not None:
        yield from rollout([beat for beat in beats if beat.service == "inference"], chosen)


def rollout(workers: Sequence[Beat], chosen: Chosen) -> Iterator[Finding]:
    check = "selection.rollout"
    refusals = [w for w in workers if w.said.get("refused_selection") == str(chosen.sequence)]
    if refusals:
        why = refusals[0].said.get("refused_reason", "")
        yield broken(
            check,
            f"{len(refusals)} of {len(workers)} workers refuse {chosen.model}: {why}",
            "nothing: the model before goes on, or readings wait",
            "zelador models select another one, or mend what the reason says and select it again",
        )
        return
    live = [w for w in workers if w.said.get("selection") == str(chosen.sequence)]
    if workers and len(live) < len(workers):
        yield risky(
            check,
            f"{chosen.model} is live on {len(live)} of {len(workers)} workers",
            "nothing: the others answer with the model before",
            "wait a second and look again; if it stays so, their ZELADOR_REGISTRY__URL names another registry",
        )
    elif workers:
        yield fine(check, f"{chosen.model} is live on {len(live)} of {len(workers)} workers")


def clocks(redis_ahead_s: float | None, beats: Sequence[Beat]) -> Iterator[Finding]:
    """Redis's clock against ours, and each process's against Redis's."""
    if redis_ahead_s is not None:
        yield clock("clock.redis", "Redis's clock", "ours", redis_ahead_s)
    if beats:
        worst = max(beats, key=lambda beat: abs(beat.seconds_ahead))
        yield clock("clock.processes", f"the clock of {worst.name}", "Redis's", worst.seconds_ahead)


def clock(check: str, whose: str, than: str, ahead_s: float) -> Finding:
    off = abs(ahead_s)
    if off <= CLOCK_OFF_S:
        return fine(check, f"{whose} is within {CLOCK_OFF_S:g} s of {than}")
    said = f"{whose} is {off:,.1f} s {'ahead of' if ahead_s > 0 else 'behind'} {than}"
    lost = "no reading; the order of events, latencies and times of receipt are wrong by as much"
    mend = "on the machine that is wrong: timedatectl set-ntp true (or chronyc makestep)"
    if off <= CLOCK_WRONG_S:
        return risky(check, said, lost, mend)
    return broken(check, said, f"{lost}; a day off, and every reading with a time is quarantined", mend)


def _present(service: str, found: Sequence[Beat]) -> Iterator[Finding]:
    check = f"process.{service}"
    names = ", ".join(f"{beat.said.get('instance', '')} ({max(0.0, beat.age_s):.0f} s ago)" for beat in found)
    apart = [beat for beat in found if "connected_at" in beat.said and not beat.said["connected_at"]]
    doubting = [beat for beat in found if beat.said.get("registry_trouble")]
    holding = [beat for beat in found if beat.said.get("holding") == "true"]
    if apart:
        state = broken if len(apart) == len(found) else risky
        yield state(
            check,
            f"{', '.join(beat.name for beat in apart)}: alive, without a connection to the broker",
            _lost(service),
            "see broker above, and the log of that process",
        )
    elif holding:
        yield risky(
            check,
            f"{', '.join(beat.name for beat in holding)}: takes nothing, too much waits in Redis",
            "nothing, as long as the broker's queue lasts",
            "start more workers (zelador infer with another ZELADOR_INFERENCE__INSTANCE), or see why none answers",
        )
    elif doubting:
        yield risky(
            check,
            f"{', '.join(beat.name for beat in doubting)}: {doubting[0].said['registry_trouble']}",
            "nothing by this: the model that it has goes on",
            "see registry.last_seen above; where that is fine, start the process again",
        )
    else:
        yield fine(check, f"{len(found)} alive: {names}")


def _lost(service: str) -> str:
    return {
        "ingest": "nothing, as long as the broker's queue lasts (broker.queue); nothing at all is taken meanwhile",
        "inference": "nothing: readings wait in Redis, unanswered",
        "trainer": "nothing: training runs wait",
    }[service]
