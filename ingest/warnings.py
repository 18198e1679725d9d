"""The ingester's warnings about others (broker, devices, quarantine): each is counted, and logged at a bounded rate."""

from __future__ import annotations

import logging

from ingest.broker_stats import BrokerStats
from ingest.pressure import Pressure
from zelador.decode import Decoder
from zelador.heartbeat import Heartbeat
from zelador.link.session import BRIEF
from zelador.log_limit import LogLimit
from zelador.metrics import IngestMetrics

log = logging.getLogger(__name__)

REPEAT_S = 60.0  # between two lines of one kind
SAME = (
    "they have the id, time and values of an earlier reading, so they are counted and not classified; if they are "
    "readings of their own, let the device send a new id, ts or seq with each"
)
NEARLY_FULL = 80  # percent of a quarantine limit


class Warnings:
    def __init__(self, metrics: IngestMetrics, client_id: str = "") -> None:
        self._metrics = metrics
        self._client_id = client_id
        self._rival_at = self._brief = 0
        self._rival_log = LogLimit(REPEAT_S)
        self._unanswered = 0  # requests without an answer that are counted already
        self._unanswered_log = LogLimit(REPEAT_S)
        self._passed_over = 0  # messages that are counted already
        self._passed_over_log = LogLimit(REPEAT_S)
        self._quarantine_full = 0  # percent
        self._discarded = 0  # messages, not logged yet
        self._discarded_log = LogLimit(REPEAT_S)
        self._forgotten = 0  # devices, not logged yet
        self._forgotten_log = LogLimit(REPEAT_S)
        self._repeating_log = LogLimit(REPEAT_S, 5)

    def broker(self, before: BrokerStats, after: BrokerStats) -> None:
        """The broker dropped messages. The broker itself bounds the rate: it reports every few seconds."""
        self._metrics.broker_dropped(after.dropped)
        if after.dropped is not None and after.dropped > (before.dropped if before.dropped is not None else 0):
            log.error(
                "the broker has dropped %d messages since it started, for this client or others: "
                "its queues are too short (zelador doctor says how to fix it)", after.dropped
            )  # fmt: skip

    def unanswered(self, decoder: Decoder) -> None:
        """Devices asked for answers on response topics that are not allowed."""
        if decoder.unanswered == self._unanswered:
            return
        self._metrics.unanswered(decoder.unanswered - self._unanswered)
        self._unanswered = decoder.unanswered
        if self._unanswered_log.due():
            log.warning(
                "%d requests so far get no answer; the last: %s", decoder.unanswered, decoder.last_unanswered
            )  # fmt: skip

    def passed_over(self, decoder: Decoder) -> None:
        """Messages that are neither readings nor errors."""
        if decoder.passed_over == self._passed_over:
            return
        self._metrics.passed_over(decoder.passed_over - self._passed_over)
        self._passed_over = decoder.passed_over
        if self._passed_over_log.due():
            log.info("%d messages so far were passed over: %s", decoder.passed_over, decoder.last_passed_over)

    def rival(self, heartbeat: Heartbeat, brief: int) -> None:
        """Another client uses our client id: each of the two ends the other's connection."""
        if heartbeat.rival_at != self._rival_at and self._rival_log.due():
            log.error(
                "another ingester runs with the client id %r: the two take each other's connection; stop one, or give "
                "each its own ZELADOR_INGEST__CLIENT_ID and all the same ZELADOR_MQTT__SHARED_GROUP", self._client_id
            )  # fmt: skip
        elif brief >= BRIEF and brief > self._brief and self._rival_log.due():
            log.error(
                "the broker has closed %d connections within seconds, without a reason: another client probably uses "
                "our client id %r (ZELADOR_INGEST__CLIENT_ID)", brief, self._client_id
            )  # fmt: skip
        self._rival_at, self._brief = heartbeat.rival_at, brief

    def quarantine(self, discarded: int, full: int) -> None:
        """Quarantine discarded messages, or soon will; `full` is the percentage of its nearest limit."""
        before, self._quarantine_full = self._quarantine_full, full
        self._metrics.quarantine(discarded, full)
        self._discarded += discarded
        if self._discarded and self._discarded_log.due():
            log.error(
                "the quarantine is full: %d messages were discarded, the oldest of the devices with the most",
                self._discarded,
            )
            self._discarded = 0
        elif full >= NEARLY_FULL > before:
            log.warning(
                "the quarantine is %d %% full: replay or discard messages, or the oldest are discarded", full
            )  # fmt: skip

    def repeating(self, device: str) -> None:
        """Most readings of a device have become repeats."""
        if self._repeating_log.due():
            skipped = self._repeating_log.take_skipped()
            log.warning("most of the last readings of %r are repeats: %s%s", device[:128], SAME, skipped)

    def forgotten(self, devices: int) -> None:
        """Devices were forgotten: someone invents device ids, or the limit is too low."""
        self._forgotten += devices
        if self._forgotten and self._forgotten_log.due():
            log.warning(
                "%d devices were forgotten, those silent the longest: there are more than "
                "ZELADOR_REDIS__KEEP_DEVICES", self._forgotten
            )  # fmt: skip
            self._forgotten = 0


def log_pressure(before: Pressure, after: Pressure, backlog: int, waiting_bytes: int) -> None:
    """Logs when the ingester stops taking messages from the broker, and when it takes them again."""
    if after.holding and not before.holding:
        log.warning(
            "%d readings of %d bytes wait: taking no more from the broker (%s)", backlog, waiting_bytes, after.why
        )
    elif before.holding and not after.holding:
        log.info("%d readings of %d bytes wait: taking from the broker again", backlog, waiting_bytes)
