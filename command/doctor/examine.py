"""All checks, put together: those that wait for a server run beside each other, and none may hang the command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from command.doctor import broker, broker_facts, buffer, buffer_facts, disk, home, outage, processes
from command.doctor.broker import BrokerFacts
from command.doctor.buffer import RedisFacts
from command.doctor.configured import configured, is_local
from command.doctor.finding import Finding, broken, worst
from command.doctor.home import SeenHome
from command.doctor.mosquitto import BrokerConfig, persistence, read_config
from command.doctor.outage import Queue
from command.doctor.processes import Beat, Chosen
from registry.restored import last_seen
from registry.restored.last_seen import Seen
from zelador.buffer.budget import parts
from zelador.errors import Unavailable
from zelador.settings import RegistrySettings, Settings
from zelador.user import expanded

LIMIT_S = 18.0  # of everything that waits for others

RegistryCheck = Callable[[RegistrySettings, Seen | None], tuple[list[Finding], Chosen | None]]


@dataclass(frozen=True, slots=True)
class Report:
    """`rate` in readings a second; None where it is not known, and so with `outage_s`."""

    findings: list[Finding]
    rate: float | None = None
    outage_s: float | None = None
    queue: Queue | None = None

    def flat(self) -> dict[str, Any]:
        queue = self.queue
        return {
            "state": worst(self.findings),
            "outage_s": None if self.outage_s is None else round(self.outage_s, 1),
            "rate": None if self.rate is None else round(self.rate, 2),
            "queue": queue and {"messages": queue.messages, "bytes": queue.bytes, "at_least": queue.at_least},
            "findings": [found.flat() for found in self.findings],
        }


@dataclass(slots=True)
class _Seen:
    """What the threads bring home; None while it has not come."""

    broker: BrokerFacts | None = None
    redis: RedisFacts | None = None
    beats: list[Beat] | None = None
    rate: float | None = None
    registry: tuple[list[Finding], Chosen | None] | None = None
    doors: list[Finding] = field(default_factory=list)


def examine(
    settings: Settings, registry: RegistryCheck, seen_home: SeenHome | None, conf: Path | None, probe: bool
) -> Report:
    """Raises InvalidInput when `conf` cannot be read."""
    config_path = conf or (seen_home.broker_config if seen_home else None)
    config = read_config(config_path) if config_path else None
    seen = _Seen()
    serve = seen_home is None or seen_home.running
    _gather(settings, registry, seen_home, probe, seen, serve)
    findings: list[Finding] = list(seen.doors)
    if seen_home is not None and not seen_home.running:
        findings.append(home.not_running(seen_home))
    if seen_home is not None:
        findings.append(home.privacy(seen_home))
    queue = None
    if serve:
        queue = _servers(settings, seen_home, config, seen, findings)
    findings += configured(settings)
    chosen = None
    if seen.registry is None:
        findings.append(_late("registry", settings.registry.url))
    else:
        found, chosen = seen.registry
        findings += found
    if seen.beats is not None:
        findings += processes.judge(seen.beats, chosen)
        findings += processes.clocks(seen.redis.seconds_ahead if seen.redis else None, seen.beats)
    findings += disk.look(_folders(settings, seen_home, config, seen.redis))
    rate = seen.rate
    covers = outage.covered_s(queue, rate, settings.mqtt.session_expiry_s) if rate else None
    return Report(findings, rate, covers, queue)


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _gather(
    settings: Settings, registry: RegistryCheck, seen_home: SeenHome | None, probe: bool, seen: _Seen, serve: bool
) -> None:
    def look_at_broker() -> None:
        seen.broker = broker_facts.look(settings, probe)

    def look_at_redis() -> None:
        seen.redis = buffer_facts.look(settings.redis)
        if seen.redis.trouble is None:
            try:
                seen.beats = buffer_facts.beats(settings.redis)
            except (redis.RedisError, OSError, Unavailable) as error:
                seen.redis = RedisFacts(trouble=str(error))
                return
            seen.rate = buffer_facts.rate(settings.redis)

    def look_at_registry() -> None:
        seen.registry = registry(settings.registry, last_seen.ask(settings.redis)[0])

    def look_at_doors() -> None:
        if seen_home is not None:
            seen.doors = list(home.doors(seen_home))

    work: list[Callable[[], None]] = [look_at_registry]
    if serve:
        work += [look_at_broker, look_at_redis, look_at_doors]
    _beside_each_other(work)


def _beside_each_other(work: Sequence[Callable[[], None]]) -> None:
    """Returns when all is done or the limit is reached; raises what one of them raised."""
    failures: list[BaseException] = []

    def run(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in work]
    for thread in threads:
        thread.start()
    timer = threading.Event()
    limit = threading.Timer(LIMIT_S, timer.set)
    limit.daemon = True
    limit.start()
    for thread in threads:
        while thread.is_alive() and not timer.is_set():
            thread.join(0.1)
    limit.cancel()
    if failures:
        raise failures[0]


def _servers(
    settings: Settings, seen_home: SeenHome | None, config: BrokerConfig | None, seen: _Seen, findings: list[Finding]
) -> Queue | None:
    queue = None
    if seen.broker is None:
        findings.append(_late("broker", "the MQTT broker"))
    else:
        findings += broker.judge(settings, seen.broker, seen_home.broker if seen_home else None)
        if seen.broker.trouble is None or config is not None:
            queue = outage.queue_of(config, seen.broker.probe)
            expiry = settings.mqtt.session_expiry_s
            findings.append(outage.outage(queue, config, seen.broker.probe, seen.rate, expiry))
            findings.append(persistence(config))
    if seen.redis is None:
        findings.append(_late("redis", "Redis"))
    else:
        findings += buffer.judge(settings.redis, seen.redis)
        findings += buffer.bounds(seen.redis, sum(parts(settings).values()))
    return queue


def _folders(
    settings: Settings, seen_home: SeenHome | None, config: BrokerConfig | None, facts: RedisFacts | None
) -> dict[str, Path]:
    """Those of this machine: a server's own words count only when it is here."""
    folders: dict[str, Path] = {}
    if "://" not in settings.registry.url:
        folders["registry"] = expanded(Path(settings.registry.url))
    redis_url, mqtt_url = urlsplit(settings.redis.url), urlsplit(settings.mqtt.url)
    said = facts.config.get("dir") if facts else None
    if seen_home is not None:
        folders["redis"] = seen_home.folder / "redis"
    elif said and is_local(redis_url.scheme, redis_url.hostname) and Path(said).exists():
        folders["redis"] = Path(said)
    if config and config.location and is_local(mqtt_url.scheme, mqtt_url.hostname) and config.location.exists():
        folders["broker"] = config.location
    return folders


def _late(check: str, what: str) -> Finding:
    return broken(
        check,
        f"{what} has not answered within {LIMIT_S:g} s",
        "nothing that was acknowledged; nobody can use it now",
        "look whether its machine, its disk or the name service answers",
    )
