"""What is published and not yet confirmed, and what a lost connection says of it.

A broker that hangs up does not name the message, and of many on their way only one is the cause. What was on its
way at two losses is suspect: it is sent again in groups that begin with one message and double while they are
confirmed, so that the cause is soon alone. It is given up only on evidence that a bad network does not give: a
connection that worked, and ended right after this one message, more than once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from zelador.link.message import Outgoing

SUSPECT_LOSSES = 2  # connections lost with a message on its way, from which on it is suspect
EVIDENT_LOSSES = 2  # working connections lost right after a message was sent alone: it is given up
ALONE_LOSSES = 5  # connections lost in any way with a message alone on its way: it is given up too
PROMPT_S = 2.0  # a connection lost within so long after a publish was lost by it
STEADY_S = 0.2  # a connection that lived so long, and confirmed our birth message, works


@dataclass(slots=True, eq=False)
class Publication:
    """Messages published together. `refused` has the index of each that the broker said no to, and its reason."""

    left: int
    refused: dict[int, str] = field(default_factory=dict)

    def refuse(self, index: int, reason: str) -> None:
        self.left -= 1
        self.refused[index] = reason


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A message that is not confirmed; the counts are of connections lost while it was on its way."""

    outgoing: Outgoing
    publication: Publication
    index: int
    losses: int = 0
    alone: int = 0  # of these, with no other message on its way
    evident: int = 0  # of these, right after it was sent on a connection that worked

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
        """Why this message is given up, `why` being the last loss; None while it may be innocent."""
        if self.evident < EVIDENT_LOSSES and self.alone < ALONE_LOSSES:
            return None
        times = "twice" if self.alone == 2 else f"{self.alone} times"
        return f"the connection was lost {times} on this message alone, the last time by: {why}"
