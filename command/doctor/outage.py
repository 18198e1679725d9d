"""Computes how long an outage the broker's queue covers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.mosquitto import QUEUE_LINES, BrokerConfig

READING_BYTES = 120  # the approximate size of a reading in JSON
TYPICAL_RATE = 100.0  # readings per second, assumed if none are arriving
BROKEN_S, RISKY_S = 60.0, 600.0  # about as long as the restart of a service, and of a machine


@dataclass(frozen=True, slots=True)
class Probe:
    """A test of the queue: messages published for an offline session, and how many it received when it returned."""

    published: int
    kept: int
    session_present: bool
    trouble: str | None = None  # why the test could not be completed

    @property
    def whole(self) -> bool:
        return self.kept >= self.published


@dataclass(frozen=True, slots=True)
class Queue:
    """The limits of the queue for an offline client; None without a limit. `at_least`: the test found no limit."""

    messages: int | None
    bytes: int | None
    at_least: bool = False

    def covers_s(self, rate: float) -> float | None:
        """Returns how many seconds of messages fit, at `rate` per second; None without a limit."""
        limits = [self.messages, self.bytes and self.bytes // READING_BYTES]
        return min((limit / rate for limit in limits if limit is not None), default=None)

    def __str__(self) -> str:
        count = "unlimited by count" if self.messages is None else f"{self.messages:,} messages"
        size = "" if self.bytes is None else f", {self.bytes:,} bytes"
        return f"{'at least ' if self.at_least else ''}{count}{size}"


def queue_of(config: BrokerConfig | None, probe: Probe | None) -> Queue | None:
    """Returns the queue from the configuration, corrected by the test; None if neither is available."""
    is_tested = probe is not None and probe.trouble is None and probe.session_present
    if is_tested and probe is not None and not probe.whole:
        return Queue(probe.kept, config.queue_bytes if config else None)
    if config is not None:
        return Queue(config.queue_messages, config.queue_bytes)
    if is_tested and probe is not None:
        return Queue(probe.kept, None, at_least=True)
    return None


def covered_s(queue: Queue | None, rate: float, expiry_s: float) -> float | None:
    """Returns the seconds of outage covered, until the queue is full or the session expires; None without a limit."""
    if queue is None or rate <= 0:
        return None
    covers = queue.covers_s(rate)
    return expiry_s if covers is None else min(covers, expiry_s)


def outage(
    queue: Queue | None, config: BrokerConfig | None, probe: Probe | None, rate: float | None, expiry_s: float
) -> Finding:
    """Returns the finding about the queue, with the seconds of outage that it covers."""
    check = "broker.queue"
    where = f"in {config.path}" if config else "in mosquitto.conf"
    fix = f"{where}: {QUEUE_LINES}, then restart it (other brokers: raise their queue limit per session)"
    if probe is not None and probe.trouble is None and not probe.session_present:
        return broken(
            check,
            "the broker lost a session that was offline for a moment",
            "every reading sent while the ingester is away",
            "configure the broker to keep sessions (mosquitto: no `persistent_client_expiration`, a plain client id)",
        )
    if queue is None:
        why = f" ({probe.trouble})" if probe and probe.trouble else ""
        return risky(
            check,
            f"the size of its queue for an ingester that is offline is unknown{why}",
            f"messages beyond its limit while the ingester is away; the default of 1,000 lasts "
            f"{1_000 / TYPICAL_RATE:.0f} s at {TYPICAL_RATE:g} readings/s",
            "run without --no-probe, or with --mosquitto-conf FILE",
        )
    at = rate if rate else TYPICAL_RATE
    seconds = covered_s(queue, at, expiry_s) or 0.0
    tested = f", {probe.kept:,} of {probe.published:,} test messages kept" if probe and probe.trouble is None else ""
    covered = f"{'at least ' if queue.at_least else ''}{seconds:,.0f} s of outage at {at:,.3g} readings/s"
    text = f"keeps {queue}{tested}: covers {covered}"
    if not rate:
        text += " (no readings now)" if rate is not None else " (the current rate is unknown)"
    lost = f"readings sent after {seconds:,.0f} s without an ingester: acknowledged, then dropped"
    has_dropped = probe is not None and not probe.whole and probe.trouble is None
    if seconds < BROKEN_S and not queue.at_least:
        return broken(check, text, lost, fix)
    if queue.at_least:
        return risky(
            check,
            text,
            "messages beyond its limit, which MQTT cannot report",
            "zelador doctor --mosquitto-conf FILE shows the limit",
        )
    if seconds < RISKY_S or has_dropped:
        return risky(check, text, lost, fix)
    return fine(check, text)


def rate_between(first: int, second: int, seconds: float) -> float | None:
    """Returns the readings per second between two reads of the ledger; None if it was reset in between."""
    return (second - first) / seconds if seconds > 0 and second >= first else None
