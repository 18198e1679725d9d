"""What can still change about a run in progress, by its events. Pure.

The trainer ignores a request that comes too late, and the queue refuses it, by the same rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from zelador.training_queue.event import RunEvent

# Messages of the trainer's steps.
COMPARED = re.compile(r"compared \d+ of \d+ classifiers")
CUT_SHORT = "a new process continues with the candidates that were compared"
MORE = ("tuning ", "blending ", "stacking ")  # begin the message of a candidate that is made from others
AFTER_MORE = ("shuffling the rows", "testing whether")  # begin the messages of the steps that follow
REGISTERING = "registering the models"
PROMOTING = "deciding whether the best model replaces the selected one"

Trying = Literal["candidates", "settings", "combinations"]


def leaves_candidates(event: RunEvent) -> bool | None:
    """True if candidates are still to be compared after this event, False if none is; None if it does not say."""
    if event.done is not None and event.total is not None:
        return event.done < event.total
    if event.kind != "step":
        return None
    if event.message.startswith(MORE):
        return True
    is_over = event.message.startswith(AFTER_MORE) or event.message.endswith(CUT_SHORT)
    return False if is_over or COMPARED.fullmatch(event.message) else None


def may_finish_early(newest_first: Iterable[RunEvent]) -> bool:
    """False once no further candidate will be compared, so that the run ends by itself as soon as it can."""
    return next((found for event in newest_first if (found := leaves_candidates(event)) is not None), True)


def trying(newest_first: Iterable[RunEvent]) -> Trying:
    """Returns what the run tries now: further candidates, settings of the best of them, or combinations of them."""
    for event in newest_first:
        if leaves_candidates(event) is not None:
            tunes, combines = event.message.startswith(MORE[0]), event.message.startswith(MORE[1:])
            return "settings" if tunes else "combinations" if combines else "candidates"
    return "candidates"


def may_cancel(newest_first: Iterable[RunEvent]) -> bool:
    """False once the models are being registered, because that cannot be taken back."""
    newest = next(iter(newest_first), None)
    return newest is None or newest.message not in (REGISTERING, PROMOTING)
