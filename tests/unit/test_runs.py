"""The stored record of a run can be read again, even by an older or newer version."""

from __future__ import annotations

import msgspec

from zelador.training_queue import Run

RUN = Run("20261124_115838-a38d", "running", {"metric": "F1"}, "key 4f2a91c0", "2026-11-24T11:58:38.000Z")


def test_a_run_reads_back_as_it_was_written() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RUN), type=Run) == RUN


def test_a_record_of_a_newer_version_can_be_read() -> None:
    newer = {**msgspec.to_builtins(RUN), "priority": 3}
    assert msgspec.json.decode(msgspec.json.encode(newer), type=Run) == RUN
