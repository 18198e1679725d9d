"""Redis is given as much memory as all bounds together need, and room; back-pressure comes before it is full."""

from __future__ import annotations

import re
from pathlib import Path

from zelador.buffer import budget
from zelador.settings import IngestSettings, RedisSettings, Settings

ROOT = Path(__file__).parents[2]
UNITS = {"mb": 1_048_576, "gb": 1_073_741_824}


def of_compose() -> int:
    conf = (ROOT / "deploy/redis/redis.conf").read_text(encoding="utf-8")
    found = re.search(r"^maxmemory (\d+)(mb|gb)$", conf, re.MULTILINE)
    assert found is not None
    return int(found[1]) * UNITS[found[2]]


def test_the_bounds_together_fit_into_composes_redis_with_room() -> None:
    """The file's comment lists the parts, in MiB, correctly."""
    parts = budget.parts(Settings())
    assert sum(parts.values()) <= of_compose() / 1.25
    conf = (ROOT / "deploy/redis/redis.conf").read_text(encoding="utf-8")
    page = (ROOT / "docs/how-to/run-with-compose.md").read_text(encoding="utf-8")
    for name, size in {**parts, "sum": sum(parts.values())}.items():
        assert re.search(rf"\b{name}\b[^\n]*\b{round(size / 1_048_576):,}\b", conf), (name, round(size / 1_048_576))
        assert re.search(rf"\b{name}\b[^\n]*\b{round(size / 1_048_576):,}\b", page), (name, round(size / 1_048_576))


def test_maxmemory_of_up_grows_with_the_bounds() -> None:
    usual = budget.maxmemory(Settings())
    more = Settings(redis=RedisSettings(keep_bytes=2**32), ingest=IngestSettings(high_water_bytes=2**32))
    assert budget.maxmemory(more) > usual + 2**33
    assert usual > sum(budget.parts(Settings()).values())
