"""Checks a broker's configuration file (mosquitto.conf, or iotcore's TOML) for what MQTT cannot report."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from command.doctor.finding import Finding, broken, fine, risky
from zelador.errors import InvalidInput

DEFAULT_QUEUE = 1_000  # max_queued_messages of Mosquitto 2
DEFAULT_AUTOSAVE = 1_800  # seconds: autosave_interval of Mosquitto 2
MAX_CHANGES = 1_000  # changes between two snapshots that the broker may lose when it dies

LINES = "persistence true · autosave_on_changes true · autosave_interval 100"
QUEUE_LINES = "max_queued_messages 1000000 · max_queued_bytes 268435456"


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The options that decide what is lost. A limit of None means no limit."""

    path: Path
    kind: str = "mosquitto"  # or iotcore
    persistence: bool = False
    autosave_on_changes: bool = False
    autosave_interval: int = DEFAULT_AUTOSAVE  # seconds, or changes
    queue_messages: int | None = DEFAULT_QUEUE
    queue_bytes: int | None = None
    location: Path | None = None


def read_config(path: Path) -> BrokerConfig:
    """Reads a configuration file, and the files in its `include_dir`. Raises InvalidInput if one cannot be read."""
    try:
        if path.suffix == ".toml":
            return _embedded(path)
        return parse(path, dict(_lines(path)))
    except (OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise InvalidInput(f"cannot read {path} as a broker's configuration: {error}") from None


def parse(path: Path, options: Mapping[str, str]) -> BrokerConfig:
    """Parses Mosquitto's options. Absent options have Mosquitto's defaults; 0 means no limit."""
    location = options.get("persistence_location")
    return BrokerConfig(
        path=path,
        persistence=options.get("persistence") == "true",
        autosave_on_changes=options.get("autosave_on_changes") == "true",
        autosave_interval=int(options.get("autosave_interval", DEFAULT_AUTOSAVE)),
        queue_messages=int(options.get("max_queued_messages", DEFAULT_QUEUE)) or None,
        queue_bytes=int(options.get("max_queued_bytes", 0)) or None,
        location=Path(location) if location else None,
    )


def persistence(config: BrokerConfig | None) -> Finding:
    """Checks what the broker loses if it dies (measured in docs/decisions/0005)."""
    check = "broker.persistence"
    queued = "messages queued for an ingester that is away"
    if config is None:
        return risky(
            check,
            "MQTT cannot report whether it keeps sessions and queues on disk",
            f"all {queued}, if the broker dies with its default settings",
            f"check with zelador doctor --mosquitto-conf FILE; mosquitto.conf should have: {LINES}",
        )
    if config.kind == "iotcore":
        return risky(
            check,
            "the embedded broker iotcore keeps sessions and queues in memory",
            f"all {queued}, if the broker is killed (a clean stop of `zelador up` loses nothing)",
            "install mosquitto 2 (make servers), then restart zelador up: it uses Mosquitto if installed",
        )
    if not config.persistence:
        return broken(
            check,
            "persistence false: sessions and queues are in memory only",
            f"all {queued}, at each stop of the broker; and messages sent until the ingester is back",
            f"in {config.path}: {LINES}",
        )
    if not config.autosave_on_changes:
        return risky(
            check,
            f"persistence true, a snapshot every {config.autosave_interval} s",
            f"up to {config.autosave_interval} s of {queued}, if the broker is killed",
            f"in {config.path}: autosave_on_changes true · autosave_interval 100",
        )
    if not 0 < config.autosave_interval <= MAX_CHANGES:
        snapshots = (
            f"a snapshot every {config.autosave_interval} changes" if config.autosave_interval else "no snapshot"
        )
        return risky(
            check,
            f"persistence true, {snapshots}",
            f"{queued} since the last snapshot, if the broker is killed",
            f"in {config.path}: autosave_interval 100",
        )
    return fine(
        check,
        f"on disk, a snapshot every {config.autosave_interval} changes: a killed broker may lose those, a stop nothing",
    )


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the options and their values. A later value replaces an earlier one."""
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if name == "include_dir":
            for included in sorted(Path(value.strip()).glob("*.conf")):
                yield from _lines(included)
        else:
            yield name, value.strip()


def _embedded(path: Path) -> BrokerConfig:
    router = tomllib.loads(path.read_text(encoding="utf-8"))["router"]
    size = int(router["max_segment_size"]) * int(router["max_segment_count"])
    return BrokerConfig(path, kind="iotcore", queue_messages=None, queue_bytes=size)
