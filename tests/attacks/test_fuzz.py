"""Tests of the fuzz drivers: they end, and they find known errors."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from tests.fuzz import archives, messages, pickles, run

pytestmark = pytest.mark.skipif(not os.environ.get("TEST_ATTACKS"), reason="takes a minute; TEST_ATTACKS=1")


def test_the_drivers_end_with_a_verdict_for_each(capfd: pytest.CaptureFixture[str]) -> None:
    until = time.monotonic() + 60
    assert run.one("messages", messages.run, 5, 500, until)
    assert run.one("archives", archives.run, 5, 30, until)
    assert run.one("pickles", pickles.run, 5, 2_000, until + 300)
    assert "loads" in capfd.readouterr().out


def test_a_wrong_verdict_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(archives, "audit", lambda _data: None)  # as if every ONNX file passed
    assert not run.one("archives", archives.run, 5, 3_000, time.monotonic() + 120)
    assert "FAILED after" in capfd.readouterr().out
    assert list(tmp_path.glob("zelador-fuzz-archives-*/*"))
