"""Twenty thousand payloads, some of 10 MB, through the broker and a running ingester: each is in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.malformed.corpus import Sample, corpus
from tests.malformed.generate import good, samples
from tests.malformed.through import Through
from zelador.settings import Settings

PAYLOADS = 20_000


@pytest.fixture
def through(settings: Settings, tmp_path: Path):
    with Through(settings, tmp_path) as running:
        yield running


def test_each_of_twenty_thousand_payloads_is_in_the_ledger(through: Through) -> None:
    through.send(corpus())
    assert through.faults() == []
    through.send(samples(11, PAYLOADS))
    assert through.faults() == []
    assert through.tally.good > 3_000
    assert through.tally.refused > 10_000
    through.send([Sample("good", good(number), 1, 0) for number in range(1_000_000, 1_002_000)])  # twice the window
    assert through.faults() == []
