"""Records what a run changes in the registry: the models that it registers, and the files that it removes.

The models are there by then, so an act that cannot be recorded never fails the run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

from operations.actor import Actor
from operations.audit import Act
from zelador.errors import ZeladorError
from zelador.retry import backoff

log = logging.getLogger(__name__)

Record = Callable[[Act, str, object], None]  # the act, what it changed, and the values after it
TRIES = 12  # about 25 s in all: a Redis that restarts is back by then


def not_recorded(_act: Act, _target: str, _after: object) -> None:
    """Of a run without an audit log."""


def recorded_by(actor: Callable[[], Actor], stop: Event, tries: int = TRIES) -> Record:
    """Returns a function that records acts of the actor, and tries again while they cannot be recorded."""

    def record(act: Act, target: str, after: object) -> None:
        for attempt in range(1, tries + 1):
            try:
                actor().record(act, target, None, after)
            except (ZeladorError, OSError) as error:
                if attempt == tries or stop.wait(backoff(attempt)):
                    log.warning("%s of %s is not in the audit log, only in the registry: %s", act, target, error)
                    return
            else:
                return

    return record
