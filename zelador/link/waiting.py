"""Unconfirmed messages, and the evidence that a lost connection gives about them.

A broker that disconnects does not say which of the messages in flight was the cause. A message that was in flight at
two losses is suspect: suspects are sent again in groups that start with one message and double with each confirmation,
so the cause is soon alone. A message is given up after two working connections that ended right after it was sent
alone, which a bad network does not produce, or after five connections lost with only this message in flight.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from zelador.link.message import Outgoing

SUSPECT_LOSSES = 2  # connections lost with a message in flight that make it suspect
EVIDENT_LOSSES = 2  # working connections lost right after a message was sent alone, after which it is given up
ALONE_LOSSES = 5  # connections lost in any way with only this message in flight, after which it is also given up
PROMPT_S = 2.0  # a connection lost within this time after a publish was lost because of it
STEADY_S = 0.2  # a connection that lasted this long and confirmed the birth message works


@dataclass(slots=True, eq=False)
class Publication:
    """Messages published together. `refused` has the index of each refused message, and the reason."""

    left: int
    refused: dict[int, str] = field(default_factory=dict)

    def refuse(self, index: int, reason: str) -> None:
        self.left -= 1
        self.refused[index] = reason


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """An unconfirmed message. The counts are of connections lost while it was in flight."""

    outgoing: Outgoing
    publication: Publication
    index: int
    losses: int = 0
    alone: int = 0  # of these, with no other message in flight
    evident: int = 0  # of these, right after it was sent on a working connection

    @property
    def suspect(self) -> bool:
        return self.losses >= SUSPECT_LOSSES

    def after_loss(self, alone: bool, evident: bool) -> Waiting:
        return Waiting(
            self.outgoing,
            self.publication,
            self.index,
            self.losses + 1,
            self.alone + alone,
            self.evident + (alone and evident),
        )

    def verdict(self, why: str) -> str | None:
        """Why this message is given up; None if it may not be the cause. `why` is the reason of the last loss."""
        if self.evident < EVIDENT_LOSSES and self.alone < ALONE_LOSSES:
            return None
        times = "twice" if self.alone == 2 else f"{self.alone} times"
        return f"the connection was lost {times} with only this message in flight, the last time because: {why}"
