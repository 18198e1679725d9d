"""Bad messages among good readings: floods of junk, and readings that make the model raise. The good ones pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from registry.registry import Registry
from tests.faults.conftest import Note, whole_matrix
from tests.faults.trial import Trial
from tests.small_models import upload

JUNK = (
    b"[1]",
    b"not json",
    b"\x00\xff\xfe",
    b"[]",
    b"{}",
    b'{"lux":1e999,"temperature":1,"vibration":1}',
    b'{"lux":null,"temperature":1,"vibration":1}',
    b'{"lux":1,"temperature":1,"vibration":-5}',
    b'{"lux":1,"temperature":1,"vibration":1,"ts":"yesterday"}',
    b"[" * 20_000,
    b'{"lux":1,"temperature":1,"vibration":1,"id":"' + b"x" * 200 + b'"}',
    b"\x01" * 2_000_000,
)
FLOOD = 600
POISON = 400.0  # lux
POISONED = 25


def test_a_flood_of_junk_between_good_readings(trial: Trial, note: Note) -> None:
    before, others = trial.site.ledger(), trial.devices.others
    with trial.load(500.0):
        for number in range(FLOOD):
            trial.devices.send_other(JUNK[number % len(JUNK)] if number < 60 else JUNK[number % (len(JUNK) - 1)])
        trial.site.wait(lambda: trial.devices.others - others == FLOOD, "the junk to be acknowledged")
        trial.site.wait(lambda: trial.devices.next - trial.first > FLOOD, "as many good readings")
    outcome = trial.outcome()
    note(outcome)
    assert outcome.ours() is None
    assert outcome.ledger.quarantined - before.quarantined == FLOOD


def overflows_above(folder: Path) -> None:
    """Selects a real model whose scaler overflows above a certain brightness: its classifier then refuses the row."""
    good = upload()
    assert good.probe is not None
    rows = good.probe.copy()
    rows[:, 0] = np.linspace(10.0, 300.0, len(rows))
    scaler, classifier = good.pipeline[0], good.pipeline[1]
    scaler.mean_[0], scaler.scale_[0], classifier.coef_[0, 0] = 0.0, 350.0 / np.finfo(np.float64).max, 0.0
    registry = Registry.open(folder)
    registry.save("overflows", replace(good, probe=rows), by="test")
    registry.select("overflows", by="test")


@whole_matrix
def test_readings_that_make_the_model_raise(make_trial: Callable[..., Trial], note: Note) -> None:
    """Each such reading is set aside alone, even by a worker that takes over from one that died for another reason."""
    trial = make_trial(model=overflows_above)
    poison = f'{{"lux":{POISON},"temperature":20,"vibration":0.1}}'.encode()
    with trial.load():
        for _ in range(POISONED):
            trial.devices.send_other(poison)
        awaited = trial.kill("inference-1")
        trial.site.start("inference-1")
        for _ in range(POISONED):
            trial.devices.send_other(poison)
        recovery = trial.answered(awaited)
    outcome = trial.outcome()
    note(outcome, recovery=recovery)
    assert (outcome.verdict.lost, outcome.ledger.unaccounted, outcome.ledger.waiting) == ((), 0, 0)
    assert outcome.ledger.set_aside == 2 * POISONED
    assert outcome.differs == 2 * POISONED  # accepted by the ledger, but not in the book
