"""How long an outage the broker's queue covers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.mosquitto import QUEUE_LINES, BrokerConfig

READING_BYTES = 120  # of a reading in JSON, more or less
TYPICAL_RATE = 100.0  # readings a second, to speak of where none come
SHORT_S, SAFE_S = 60.0, 600.0  # a restart of a service; a restart of a machine


@dataclass(frozen=True, slots=True)
class Probe:
    """Messages published for a session that was away, and how many of them were there when it came back."""

    published: int
    kept: int
    session_present: bool
    trouble: str | None = None  # why it could not be tried to the end

    @property
    def whole(self) -> bool:
        return self.kept >= self.published


@dataclass(frozen=True, slots=True)
class Queue:
    """What the broker keeps for one that is away. A limit of None: there is none; `at_least`: only proven so far."""

    messages: int | None
    bytes: int | None
    at_least: bool = False

    def covers_s(self, rate: float) -> float | None:
        """Seconds at `rate` messages a second; None when nothing limits it."""
        limits = [self.messages, self.bytes and self.bytes // READING_BYTES]
        return min((limit / rate for limit in limits if limit is not None), default=None)

    def __str__(self) -> str:
        count = "unlimited by count" if self.messages is None else f"{self.messages:,} messages"
        size = "" if self.bytes is None else f", {self.bytes:,} bytes"
        return f"{'at least ' if self.at_least else ''}{count}{size}"


def queue_of(config: BrokerConfig | None, probe: Probe | None) -> Queue | None:
    """From the configuration, corrected by what was seen; None when neither tells."""
    tried = probe is not None and probe.trouble is None and probe.session_present
    if tried and probe is not None and not probe.whole:
        return Queue(probe.kept, config.queue_bytes if config else None)
    if config is not None:
        return Queue(config.queue_messages, config.queue_bytes)
    if tried and probe is not None:
        return Queue(probe.kept, None, at_least=True)
    return None


def covered_s(queue: Queue | None, rate: float, expiry_s: float) -> float | None:
    """Seconds of outage that are covered: the queue's or the session's life, whichever ends first."""
    if queue is None or rate <= 0:
        return None
    covers = queue.covers_s(rate)
    return expiry_s if covers is None else min(covers, expiry_s)


def outage(
    queue: Queue | None, config: BrokerConfig | None, probe: Probe | None, rate: float | None, expiry_s: float
) -> Finding:
    """The finding about the queue, with the seconds of outage that it covers."""
    check = "broker.queue"
    where = f"in {config.path}" if config else "in mosquitto.conf"
    mend = f"{where}: {QUEUE_LINES}, then restart it (another broker: its own limit of a session's queue)"
    if probe is not None and probe.trouble is None and not probe.session_present:
        return broken(
            check,
            "it forgot a session that was away for a moment",
            "every reading that devices send while the ingester is away",
            "let the broker keep sessions (mosquitto: no `persistent_client_expiration`, a plain client id)",
        )
    if queue is None:
        why = f" ({probe.trouble})" if probe and probe.trouble else ""
        return risky(
            check,
            f"what it keeps for an ingester that is away is not known{why}",
            f"what comes beyond its limit while the ingester is away; stock is 1,000: {1_000 / TYPICAL_RATE:.0f} s "
            f"at {TYPICAL_RATE:g} readings/s",
            "run without --no-probe, or with --mosquitto-conf FILE",
        )
    at = rate if rate else TYPICAL_RATE
    seconds = covered_s(queue, at, expiry_s) or 0.0
    tried = f", {probe.kept:,} of {probe.published:,} tried were kept" if probe and probe.trouble is None else ""
    span = f"{'at least ' if queue.at_least else ''}{seconds:,.0f} s of outage at {at:,.3g} readings/s"
    said = f"keeps {queue}{tried}: covers {span}"
    if not rate:
        said += " (nothing comes now)" if rate is not None else " (the present rate is not known)"
    lost = f'what devices send after {seconds:,.0f} s without an ingester: told "received", then dropped'
    dropped = probe is not None and not probe.whole and probe.trouble is None
    if seconds < SHORT_S and not queue.at_least:
        return broken(check, said, lost, mend)
    if queue.at_least:
        return risky(
            check,
            said,
            "what comes beyond its limit, which cannot be asked over MQTT",
            "zelador doctor --mosquitto-conf FILE reads the limit",
        )
    if seconds < SAFE_S or dropped:
        return risky(check, said, lost, mend)
    return fine(check, said)


def rate_between(first: int, second: int, seconds: float) -> float | None:
    """Readings a second between two looks at the ledger; None when it was made anew in between."""
    return (second - first) / seconds if seconds > 0 and second >= first else None
