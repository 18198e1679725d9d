"""The author of an act, with the means to record it and to wake the workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from operations.audit import Act
from operations.audit_entry import ActRecord
from zelador.buffer.keys import Keys

log = logging.getLogger(__name__)


class AuditLog(Protocol):
    """The place where acts are recorded: the admin server's file, or the stream that carries them there."""

    def check(self) -> None:
        """Called before a change. Raises Unavailable if it could not be recorded.

        The limit of the audit files in bytes is not checked here, but by the guard of the API, which knows the role.
        """

    def add(self, record: ActRecord) -> object:
        """Records an act. Raises Unavailable, whose message says that the act was done but not recorded."""


def nobody_to_wake(_sequence: int) -> None:
    """Does nothing. Used without Redis: the workers notice a selection by polling the registry's log."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts: a person, or the trainer.

    `name` is written to the registry's history; `name` and `via` to the audit log. `address` is the client's, if any.
    For an act of the trainer, `on_behalf_of` is who requested the run.
    `wake` notifies the workers of a selection; if it fails, they notice the selection within a second.
    """

    name: str
    audit: AuditLog
    address: str | None = None
    via: str = ""  # "command line", or for the trainer its run or reason; empty for the API and the console
    wake: Callable[[int], None] = nobody_to_wake
    on_behalf_of: str | None = None

    @property
    def full_name(self) -> str:
        return f"{self.name} ({self.via})" if self.via else self.name

    def check(self) -> None:
        """Every act calls this before it changes anything. Raises Unavailable if the act could not be recorded."""
        self.audit.check()

    def record(self, act: Act, target: object, before: Any = None, after: Any = None) -> None:
        """Records an act of this actor, after it was done. Raises Unavailable."""
        self.audit.add(
            ActRecord(self.full_name, act.value, str(target), before, after, self.address, self.on_behalf_of)
        )


def waker(client: redis.Redis, prefix: str) -> Callable[[int], None]:
    """Publishes a selection's number to the workers."""

    def wake(sequence: int) -> None:
        try:
            client.publish(Keys(prefix).selected, str(sequence))
        except (redis.RedisError, OSError) as error:
            log.warning("the workers could not be notified and will notice by themselves: %s", error)

    return wake
