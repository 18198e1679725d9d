"""Checks services by their heartbeats: running, connected, on the selected model, with the right time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from command.doctor.finding import Finding, broken, fine, risky
from zelador.printable import clean

CLOCK_OFF_S, CLOCK_WRONG_S = 1.0, 60.0
RIVAL_S = 60.0  # how long a second process of the same name is reported
MANY_BRIEF = 3  # connections in a row that ended within seconds
COMMANDS = {"ingest": "ingest", "inference": "infer", "trainer": "trainer"}


@dataclass(frozen=True, slots=True)
class Beat:
    """The last heartbeat of one process, its age, and the time in Redis when it was read."""

    facts: Mapping[str, str]
    age_s: float
    redis_now: float

    @property
    def service(self) -> str:
        return self.facts.get("service", "")

    @property
    def name(self) -> str:
        return f"{self.service} {self.facts.get('instance', '')}"

    @property
    def seconds_ahead(self) -> float:
        """The process's clock minus Redis's, when the heartbeat was written."""
        return int(self.facts.get("at") or 0) / 1000 - (self.redis_now - self.age_s)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The registry's current selection: the model, and its number in the log."""

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
            yield from _presence(service, found)
            yield from rivals(service, found)
        else:
            yield missing(
                f"process.{service}",
                "not running: no heartbeat",
                _what_is_lost(service),
                f"zelador {COMMANDS[service]}",
            )
    if chosen is not None:
        yield from rollout([beat for beat in beats if beat.service == "inference"], chosen)


def rivals(service: str, beats: Sequence[Beat]) -> Iterator[Finding]:
    """Finds processes that share a name: two ingesters with one client id end each other's connection."""
    for beat in beats:
        setting = "ZELADOR_INGEST__CLIENT_ID" if service == "ingest" else "ZELADOR_INFERENCE__INSTANCE"
        name = beat.facts.get("instance", "")
        rival_at = int(beat.facts.get("rival_at") or 0) / 1000
        if rival_at and beat.redis_now - rival_at < RIVAL_S:
            yield broken(
                f"process.{service}.name",
                f"two processes run as {clean(name)}",
                "nothing; each takes the connection or the entries of the other, so progress is slow",
                f"stop one of them, or give each its own {setting}",
            )
        elif int(beat.facts.get("brief") or 0) >= MANY_BRIEF:
            yield risky(
                f"process.{service}.name",
                f"the broker closes the connection of {clean(name)} within seconds, again and again, without a reason",
                "nothing; readings wait at the broker as long as its queue lasts",
                f"look for another client with this client id, or set another {setting}; else see the broker's log",
            )


def rollout(workers: Sequence[Beat], chosen: Chosen) -> Iterator[Finding]:
    check = "selection.rollout"
    refusals = [w for w in workers if w.facts.get("refused_selection") == str(chosen.sequence)]
    if refusals:
        why = refusals[0].facts.get("refused_reason", "")
        yield broken(
            check,
            f"{len(refusals)} of {len(workers)} workers refuse {chosen.model}: {why}",
            "nothing: the previous model stays live, or readings wait",
            "select another model with zelador models select, or fix the cause and select it again",
        )
        return
    live = [w for w in workers if w.facts.get("selection") == str(chosen.sequence)]
    if workers and len(live) < len(workers):
        yield risky(
            check,
            f"{chosen.model} is live on {len(live)} of {len(workers)} workers",
            "nothing: the other workers still use the previous model",
            "run zelador doctor again in a second; if this persists, check their ZELADOR_REGISTRY__URL",
        )
    elif workers:
        yield fine(check, f"{chosen.model} is live on {len(live)} of {len(workers)} workers")


def clocks(redis_ahead_s: float | None, beats: Sequence[Beat]) -> Iterator[Finding]:
    """Compares Redis's clock with this machine's, and each process's with Redis's."""
    if redis_ahead_s is not None:
        yield clock("clock.redis", "Redis's clock", "this machine's", redis_ahead_s)
    if beats:
        worst = max(beats, key=lambda beat: abs(beat.seconds_ahead))
        yield clock("clock.processes", f"the clock of {worst.name}", "Redis's", worst.seconds_ahead)


def clock(check: str, subject: str, reference: str, ahead_s: float) -> Finding:
    off = abs(ahead_s)
    if off <= CLOCK_OFF_S:
        return fine(check, f"{subject} is within {CLOCK_OFF_S:g} s of {reference}")
    text = f"{subject} is {off:,.1f} s {'ahead of' if ahead_s > 0 else 'behind'} {reference}"
    lost = "no readings; the order of events, latencies and times of receipt are wrong by that much"
    fix = "on the machine with the wrong clock: timedatectl set-ntp true (or chronyc makestep)"
    if off <= CLOCK_WRONG_S:
        return risky(check, text, lost, fix)
    return broken(check, text, f"{lost}; if it is off by a day, every reading with a time is quarantined", fix)


def _presence(service: str, found: Sequence[Beat]) -> Iterator[Finding]:
    check = f"process.{service}"
    names = ", ".join(f"{beat.facts.get('instance', '')} ({max(0.0, beat.age_s):.0f} s ago)" for beat in found)
    disconnected = [beat for beat in found if "connected_at" in beat.facts and not beat.facts["connected_at"]]
    in_doubt = [beat for beat in found if beat.facts.get("registry_trouble")]
    holding = [beat for beat in found if beat.facts.get("holding") == "true"]
    if disconnected:
        state = broken if len(disconnected) == len(found) else risky
        yield state(
            check,
            f"{', '.join(beat.name for beat in disconnected)}: alive, not connected to the broker",
            _what_is_lost(service),
            "see the broker check above, and the log of that process",
        )
    elif holding:
        yield risky(
            check,
            f"{', '.join(beat.name for beat in holding)}: paused, because too much is waiting in Redis",
            "nothing, as long as the broker's queue lasts",
            "start more workers (zelador infer with another ZELADOR_INFERENCE__INSTANCE), or check why they are slow",
        )
    elif in_doubt:
        yield risky(
            check,
            f"{', '.join(beat.name for beat in in_doubt)}: {in_doubt[0].facts['registry_trouble']}",
            "nothing by this: its current model stays live",
            "see registry.last_seen above; if that is fine, restart the process",
        )
    else:
        yield fine(check, f"{len(found)} alive: {names}")


def _what_is_lost(service: str) -> str:
    return {
        "ingest": "nothing, as long as the broker's queue lasts (broker.queue); no readings are accepted meanwhile",
        "inference": "nothing: readings wait in Redis, unanswered",
        "trainer": "nothing: training runs wait",
    }[service]
