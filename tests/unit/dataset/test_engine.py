"""The database engine: a statement in progress ends when its process does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from archive.dataset import engine as module
from archive.dataset.engine import OpenEngines, open_engine
from zelador.errors import Unavailable
from zelador.settings.datasets import DatasetSettings

LONG = "select sum(a.range * b.range % 7) from range(1_000_000) a, range(1_000_000) b"  # a day of work


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> OpenEngines:
    found = OpenEngines()
    monkeypatch.setattr(module, "OPEN", found)
    return found


def test_statements_end_with_the_process(engines: OpenEngines, tmp_path: Path) -> None:
    begun = Event()

    def read() -> None:
        with open_engine(DatasetSettings(cache=tmp_path)) as engine:
            begun.set()
            for _ in range(3):
                try:
                    engine.rows(LONG)
                except Unavailable as error:
                    refused.append(str(error))
                    if len(refused) == 2:
                        raise

    refused: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert begun.wait(60)
        assert engines.end(60.0)
        with pytest.raises(Unavailable, match="stopping"):
            reading.result(60)
    assert refused == ["the process is stopping"] * 2
