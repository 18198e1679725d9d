"""What a run's document says about its split: which part has how many devices and days, and which class was where."""

from __future__ import annotations

import json

import numpy as np

from trainer.dataset import Dataset, assemble
from trainer.evaluate.split import split
from trainer.run.job import known_of
from trainer.run.split_facts import MAX_SEEN, seen_facts, split_facts

DAY_MS = 86_400_000


def data(devices: list[str], labels: list[str]) -> Dataset:
    count = len(devices)
    rows = [tuple(map(float, row)) for row in np.random.default_rng(1).normal(size=(count, 2))]
    times = [1_790_000_000_000 + place * DAY_MS // 100 for place in range(count)]
    return assemble(rows, labels, ("a", "b"), "a test", 100_000, 1, devices=devices, times=times)


def test_a_part_says_how_many_devices_and_which_days_it_has() -> None:
    devices = [f"m{place % 8}" for place in range(1_600)]
    found = data(devices, ["no" if place // 8 % 3 else "yes" for place in range(1_600)])
    known = known_of(found)
    facts = split_facts(found, known, split(known, "auto", None, None, 7))
    learned, fresh = facts["learned"], facts["questions"]["new_device"]
    assert (learned["devices"] or 0) + (fresh["devices"] or 0) == 8
    assert (learned["from"] or "") < (learned["to"] or "")
    assert "seen" not in facts  # each class can be evaluated
    json.dumps(facts)


def test_a_class_of_one_device_is_marked_and_the_table_is_bounded() -> None:
    devices = [f"m{place % 20:02d}" for place in range(2_000)]
    labels = [
        "bad" if name == "m03" and place > 900 else "worn" if place // 20 % 3 == 0 else "good"
        for place, name in enumerate(devices)
    ]
    known = known_of(data(devices, labels))
    found = seen_facts(known, split(known, "device", None, None, 7))
    assert found is not None
    assert (found["of"], len(found["devices"])) == (20, MAX_SEEN)
    assert found["classes"]["bad"] == {
        "rows": [55 if name == "m03" else 0 for name in found["devices"]], "devices": 1, "alone": True,
    }  # fmt: skip
    assert found["classes"]["good"]["devices"] == 20
    assert not found["classes"]["good"]["alone"]
