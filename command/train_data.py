"""Reads the rows that `zelador train` learns from: a file or a folder of files, or the archive and the buffer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from command.query_options import naming_options
from command.terminal import say
from zelador.errors import InvalidInput
from zelador.settings import Settings
from zelador.table import Wanted

OPTIONS = {"from": "--from", "to": "--to", "devices": "--devices", "labels": "--classes"}  # by key of the query

if TYPE_CHECKING:
    from trainer.dataset import Dataset


def from_files(path: Path, settings: Settings, wanted: Wanted, asked: dict[str, object]) -> Dataset:
    """Reads a file, or the files of a folder. `asked` is the query as JSON. Raises InvalidInput, Unavailable."""
    from trainer import source

    if "labels_at" in asked:
        raise InvalidInput("--labels-at cannot be used with --csv: the labels are those of the table")
    asked.pop("features", None)
    with naming_options():
        query = source.query_for(settings, {"dataset": asked})
    return source.from_files(path, settings, wanted, query)


def check_chosen(dataset: Dataset, asked: Mapping[str, object]) -> None:
    """Raises InvalidInput if the options, not the data, left too few rows. `asked` is the query as JSON."""
    given = [OPTIONS[name] for name in asked if name in OPTIONS]
    left = sorted(set(dataset.labels))
    if not given or len(left) > 1:
        return
    what = f"only the class {left[0]!r}" if left else "no labeled row"
    needs = "a classifier needs at least two classes; " if left else ""
    raise InvalidInput(f"{', '.join(given)}: this leaves {what} of {dataset.source}; {needs}choose more rows")


def from_stream(settings: Settings, asked: dict[str, object], repeat: str | None) -> Dataset:
    """Reads the archive and the buffer, by the query `asked` (JSON), or by that of the earlier run `repeat`.

    Raises InvalidInput, Corrupt, Unavailable.
    """
    import redis

    from registry.registry import Registry
    from trainer import source
    from zelador.buffer import connect_redis

    if repeat is not None and asked:
        raise InvalidInput("--repeat uses the query of the earlier run; leave out the other options that choose rows")
    with naming_options():
        query = source.query_for(settings, {"dataset": asked})
    data: Mapping[str, object] = {}
    if repeat is not None:
        data = cast("Mapping[str, object]", Registry.existing(settings.registry).run(repeat).get("data", {}))
        query = source.repeated(data, settings)
    try:
        with connect_redis(settings.redis) as client:
            found = source.from_stream(client, settings, query)
    except redis.RedisError as error:
        raise InvalidInput(
            f"cannot read the readings in the buffer ({error}); use --home DIR of a running `zelador up`, "
            "set ZELADOR_REDIS__URL, or train with --csv FILE --label COLUMN"
        ) from None
    if repeat is not None and found.digest != data.get("digest"):
        say(f"note: some readings of run {repeat} no longer exist: the digest of the data differs", error=True)
    return found
