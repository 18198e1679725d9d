"""A run's document keeps its options as a request that gives them again, whatever the settings are then."""

from __future__ import annotations

import pytest

from trainer.run.options import as_request, options_of
from zelador.settings import TrainingSettings
from zelador.training_queue import RunRequest

EVERYTHING = RunRequest(
    metric="MCC", notes="x", register=[1, 3], candidates=["lr", "dt"], split="device", positive="yes", cost_missed=5.0,
    cost_false_alarm=2.0, exclude=["nb"], tune_s=90.0, budget_s=600.0, blend=True, stack=True, balance=True, gpu=True,
)  # fmt: skip


@pytest.mark.parametrize("request_", [RunRequest(), EVERYTHING, RunRequest(recall=0.9), RunRequest(register=False)])
def test_options_become_a_request_that_gives_them_again(request_: RunRequest) -> None:
    mine, others = TrainingSettings(metric="F1", cost_missed=3.0), TrainingSettings(metric="AUC")
    options = options_of(mine, request_, "r", "me")
    again = options_of(others, RunRequest(**as_request(options), notes=options.notes), "r", "me")
    assert again == options
