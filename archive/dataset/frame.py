"""Readings with their labels as a DataFrame, for Python and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zelador.settings import Settings, load_settings
from zelador.settings.paths import absolute

if TYPE_CHECKING:
    import pandas as pd


def frame(
    settings: Settings | None = None,
    *,
    begin: str | float | None = None,
    end: str | float | None = None,
    devices: Sequence[str] = (),
    features: Sequence[str] = (),
    labels: Sequence[str] = (),
    labels_at: str | float | None = None,
    source: str = "all",
) -> pd.DataFrame:
    """Returns all readings from `begin` until before `end`, ordered by time and device, with their labels.

    Columns: `id`, `device_id`, `measured_at`, `received_at`, `label` (None without a label), and the features in their
    units, NaN for a missing value. `devices` are names or patterns (press-*). `settings` are those of the environment
    by default; for a home use `command.home.settings_of(Path(".zelador"))`.

    Raises InvalidInput, Corrupt, Unavailable, redis.RedisError.
    """
    from archive.dataset.engine import open_engine
    from archive.dataset.export import exported
    from archive.dataset.load import archive_of
    from archive.dataset.query import query_of
    from archive.dataset.view import of_stream
    from zelador.buffer import connect_redis

    used = absolute(settings or load_settings())
    asked = {
        "from": begin, "to": end, "devices": list(devices), "features": list(features), "labels": list(labels),
        "labels_at": labels_at, "source": source,
    }  # fmt: skip
    query = query_of(asked, used)
    with connect_redis(used.redis) as client, open_engine(used.datasets) as engine:
        view = of_stream(engine, client, used, query, archive_of(used))
        found: pd.DataFrame = exported(engine, view).to_pandas()
        return found
