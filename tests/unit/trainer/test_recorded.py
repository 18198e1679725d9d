"""What a run registers is in the audit log: once each, although the log may refuse at first."""

from __future__ import annotations

from threading import Event

import pytest

from operations.actor import Actor
from operations.audit import Act
from tests.memory_audit import MemoryAudit
from trainer.run.recorded import recorded_by


@pytest.mark.parametrize(("refusals", "written"), [(0, 1), (1, 1), (2, 0)])
def test_an_act_of_the_trainer_is_recorded_once_and_never_fails_the_run(refusals: int, written: int) -> None:
    audit = MemoryAudit(refusals)
    record = recorded_by(lambda: Actor("trainer-1", audit, via="run 7"), Event(), tries=2)
    record(Act.MODEL_REGISTERED, "Ridge_7", {"run": "7", "rank": 1})
    assert audit.acts == [("trainer-1 (run 7)", "model registered", "Ridge_7", {"run": "7", "rank": 1})] * written


def test_a_trainer_that_stops_does_not_wait_for_the_log() -> None:
    (stop := Event()).set()
    recorded_by(lambda: Actor("trainer-1", MemoryAudit(99)), stop)(Act.MODEL_REGISTERED, "Ridge_7", {})
