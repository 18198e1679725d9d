"""What a broker's configuration promises: mosquitto.conf, or the TOML of the embedded one. MQTT does not tell it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from command.doctor.finding import Finding, broken, fine, risky
from zelador.errors import InvalidInput

STOCK_QUEUE = 1_000  # max_queued_messages of Mosquitto 2 where nothing is set
STOCK_AUTOSAVE = 1_800
MOST_CHANGES = 1_000  # changes that a death may cost and still be called a snapshot of now

LINES = "persistence true · autosave_on_changes true · autosave_interval 100"
QUEUE_LINES = "max_queued_messages 1000000 · max_queued_bytes 268435456"


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """The part of a configuration that decides what is lost. A limit of None: there is none."""

    path: Path
    kind: str = "mosquitto"  # or iotcore
    persistence: bool = False
    autosave_on_changes: bool = False
    autosave_interval: int = STOCK_AUTOSAVE  # seconds, or changes
    queue_messages: int | None = STOCK_QUEUE
    queue_bytes: int | None = None
    location: Path | None = None


def read_config(path: Path) -> BrokerConfig:
    """With the files of its `include_dir`. Raises InvalidInput when it cannot be read."""
    try:
        if path.suffix == ".toml":
            return _embedded(path)
        return parse(path, dict(_lines(path)))
    except (OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise InvalidInput(f"{path} cannot be read as a broker's configuration: {error}") from None


def parse(path: Path, said: Mapping[str, str]) -> BrokerConfig:
    """Mosquitto's own defaults where nothing is said; for it 0 is "no limit"."""
    location = said.get("persistence_location")
    return BrokerConfig(
        path=path,
        persistence=said.get("persistence") == "true",
        autosave_on_changes=said.get("autosave_on_changes") == "true",
        autosave_interval=int(said.get("autosave_interval", STOCK_AUTOSAVE)),
        queue_messages=int(said.get("max_queued_messages", STOCK_QUEUE)) or None,
        queue_bytes=int(said.get("max_queued_bytes", 0)) or None,
        location=Path(location) if location else None,
    )


def persistence(config: BrokerConfig | None) -> Finding:
    """What the broker's own death costs: measured, docs/decisions/0005."""
    check = "broker.persistence"
    away = "of what waits for an ingester that is away"
    if config is None:
        return risky(
            check,
            "whether it keeps sessions and queues on disk cannot be asked over MQTT",
            f"all {away}, when the broker dies with its stock settings",
            f"zelador doctor --mosquitto-conf FILE reads it; a mosquitto.conf has to say: {LINES}",
        )
    if config.kind == "iotcore":
        return risky(
            check,
            "the embedded iotcore keeps sessions and queues in memory",
            f"all {away}, when the broker is killed (a clean stop of `zelador up` loses nothing)",
            "install mosquitto 2 (make servers), then stop and start zelador up: it takes it by itself",
        )
    if not config.persistence:
        return broken(
            check,
            "persistence false: sessions and queues are in memory only",
            f"all {away}, at each stop of the broker; and what devices send until the ingester is back",
            f"in {config.path}: {LINES}",
        )
    if not config.autosave_on_changes:
        return risky(
            check,
            f"persistence true, a snapshot each {config.autosave_interval} s",
            f"what came in the last {config.autosave_interval} s {away}, when the broker is killed",
            f"in {config.path}: autosave_on_changes true · autosave_interval 100",
        )
    if not 0 < config.autosave_interval <= MOST_CHANGES:
        said = f"a snapshot each {config.autosave_interval} changes" if config.autosave_interval else "no snapshot"
        return risky(
            check,
            f"persistence true, {said}",
            f"what came since the last snapshot {away}, when the broker is killed",
            f"in {config.path}: autosave_interval 100",
        )
    return fine(
        check, f"on disk, a snapshot each {config.autosave_interval} changes: its death may cost these, a stop nothing"
    )


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Option and value; a later one holds."""
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
