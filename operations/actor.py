"""The author of an act, and what every act also does: record itself, and wake the workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from operations.audit import Act
from zelador.buffer.keys import Keys

log = logging.getLogger(__name__)


class AuditLog(Protocol):
    """Where acts are recorded: the admin server's file, or the stream that carries them there."""

    def check(self) -> None:
        """Called before a change. Raises Unavailable if it could not be recorded."""

    def add(
        self, who: str, what: str, target: str, before: Any = None, after: Any = None, address: str | None = None
    ) -> object:
        """Records an act. Raises Unavailable, whose message says that the act was done but not recorded."""


def nobody_to_wake(_sequence: int) -> None:
    """Does nothing, for use without Redis: the workers poll the registry's log."""


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is written to the registry's history, and with `via` to the audit log.

    `address` is the client's, if any. `wake` notifies the workers of a selection; if it fails, they notice it
    within a second.
    """

    name: str
    audit: AuditLog
    address: str | None = None
    via: str = ""  # "command line", unless it is the API
    wake: Callable[[int], None] = nobody_to_wake

    @property
    def full_name(self) -> str:
        return f"{self.name} ({self.via})" if self.via else self.name

    def record(self, act: Act, target: object, before: Any = None, after: Any = None) -> None:
        """Records an act of this actor. Raises Unavailable."""
        self.audit.add(self.full_name, act.value, str(target), before, after, self.address)


def waker(client: redis.Redis, prefix: str) -> Callable[[int], None]:
    """Publishes a selection's number to the workers."""

    def wake(sequence: int) -> None:
        try:
            client.publish(Keys(prefix).selected, str(sequence))
        except (redis.RedisError, OSError) as error:
            log.warning("the workers could not be notified and will notice by themselves: %s", error)

    return wake
