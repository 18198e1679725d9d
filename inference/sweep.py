"""Finds silent devices, once a second, on a separate thread, which continues while the broker is away.

It also marks what the ledger counted, so that this is known although no admin server runs.

Every worker sweeps. The step in Redis (buffer/lua/sweep.lua) handles each device once, so that two workers do not
disturb each other, and no silence is missed when one of them dies.
"""

from __future__ import annotations

import logging
import time
from threading import Event

from zelador.alarms.store import DeviceStates
from zelador.buffer import connect_redis
from zelador.ledger_marks import LedgerMarks
from zelador.log_limit import LogLimit
from zelador.settings import Settings
from zelador.side_thread import SideThread

log = logging.getLogger(__name__)

SWEPT = 100  # devices in one step: when all fall silent at once, it takes Redis some 2 ms
REPEAT_S = 60.0  # between two bursts of log lines about silent devices


class Sweeper:
    def __init__(self, settings: Settings, stop: Event) -> None:
        self._every_s, self._silent_s = settings.alarm.sweep_s, settings.alarm.silent_s
        self._stop = stop
        self._client = connect_redis(settings.redis)
        self._states = DeviceStates(self._client, settings.redis.prefix)
        self._marks = LedgerMarks(self._client, settings.redis.prefix)
        self._silent_log = LogLimit(REPEAT_S, 20)
        self._thread = SideThread(
            "sweep", stop, self._step, trouble="silent devices cannot be detected", retry_s=lambda _: self._every_s
        )

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(1.0)
        self._client.close()

    def _step(self) -> float:
        """Looks at all devices once. Returns the seconds until the next sweep is due."""
        next_at = time.monotonic() + self._every_s
        looked = SWEPT
        while looked >= SWEPT and not self._stop.is_set():
            looked, silent, fleet = self._states.sweep(SWEPT, self._silent_s)
            if silent and self._silent_log.due():
                skipped = self._silent_log.take_skipped()
                why = ": nothing arrives from any device; check the broker and the network" if fleet else ""
                log.warning("%d devices are silent%s%s", silent, why, skipped)
        self._marks.keep()
        return max(0.0, next_at - time.monotonic())
