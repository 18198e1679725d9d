"""Checks that the embedded broker answers. rumqttd's router can die while its process keeps running."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from threading import Event

from zelador.errors import Unavailable
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings

log = logging.getLogger(__name__)

EVERY_S = 3.0
ANSWER_S = 5.0
MAX_UNANSWERED = 3  # probes in a row; then the broker counts as dead


class BrokerProbe:
    """Publishes small messages at QoS 1, which the broker must confirm."""

    def __init__(self, settings: MqttSettings, stop: Event) -> None:
        self._settings = settings
        self._stop = stop
        self._link = self._make()
        self._thread: threading.Thread | None = None

    def answers(self) -> bool:
        """Sends a probe, after reconnecting if needed. Returns whether the broker confirmed it."""
        try:
            if not self._link.connected:
                self._link.close()
                self._link = self._make()
                self._link.open(0.0)
            probe = self._link.publish([Outgoing("zelador/probe", b"")])
            if self._link.confirmed(probe, ANSWER_S):
                return True
            self._link.close()
        except Unavailable:
            pass
        return False

    def start(self, give_up: Callable[[], None]) -> None:
        """Probes every few seconds. Calls `give_up` when the broker has not answered MAX_UNANSWERED times in a row."""
        self._thread = threading.Thread(target=self._watch, args=(give_up,), name="probe", daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=ANSWER_S + 1.0)
            self._thread = None
        self._link.close()

    def _make(self) -> Link:
        return Link(self._settings, LinkOptions(f"zelador-probe-{os.getpid()}"), self._stop)

    def _watch(self, give_up: Callable[[], None]) -> None:
        unanswered = 0
        while not self._stop.wait(EVERY_S):
            unanswered = 0 if self.answers() else unanswered + 1
            if unanswered >= MAX_UNANSWERED and not self._stop.is_set():
                log.error("the broker has not answered %d probes in a row", unanswered)
                give_up()
                unanswered = 0
