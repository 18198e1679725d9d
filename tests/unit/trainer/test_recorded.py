"""What a run registers is in the audit log: once each, although the log may refuse at first."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from operations.actor import Actor
from operations.audit import Act
from trainer.run.recorded import recorded_by
from zelador.errors import Unavailable


class Audit:
    """An audit log in memory, which refuses the first acts."""

    def __init__(self, refusals: int) -> None:
        self.acts = list[tuple[str, str, str, Any]]()
        self._refusals = refusals

    def check(self) -> None: ...

    def add(
        self,
        who: str,
        what: str,
        target: str,
        before: Any = None,
        after: Any = None,
        address: str | None = None,
        on_behalf_of: str | None = None,
    ) -> None:
        if self._refusals:
            self._refusals -= 1
            raise Unavailable("it was done, but not recorded")
        self.acts.append((who, what, target, after))


@pytest.mark.parametrize(("refusals", "written"), [(0, 1), (1, 1), (2, 0)])
def test_an_act_of_the_trainer_is_recorded_once_and_never_fails_the_run(refusals: int, written: int) -> None:
    audit = Audit(refusals)
    record = recorded_by(lambda: Actor("trainer-1", audit, via="run 7"), Event(), tries=2)
    record(Act.MODEL_REGISTERED, "Ridge_7", {"run": "7", "rank": 1})
    assert audit.acts == [("trainer-1 (run 7)", "model registered", "Ridge_7", {"run": "7", "rank": 1})] * written


def test_a_trainer_that_stops_does_not_wait_for_the_log() -> None:
    (stop := Event()).set()
    recorded_by(lambda: Actor("trainer-1", Audit(99)), stop)(Act.MODEL_REGISTERED, "Ridge_7", {})
