"""Runs all checks. Checks that wait for a server run in parallel, under one time limit."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from command.doctor import archive, broker, broker_facts, buffer, buffer_facts, disk, home, outage, processes, topics
from command.doctor.broker import BrokerFacts
from command.doctor.buffer import RedisFacts
from command.doctor.configured import configured, elsewhere, is_local, no_broker_here
from command.doctor.finding import Finding, broken, worst
from command.doctor.home import HomeFacts
from command.doctor.mosquitto import BrokerConfig, persistence, read_config
from command.doctor.outage import Queue
from command.doctor.processes import Beat, Chosen
from ingest.look import listen
from registry.restored import last_seen
from registry.restored.last_seen import Seen
from zelador.buffer.budget import parts
from zelador.errors import Unavailable
from zelador.ledger import LedgerSnapshot
from zelador.settings import RegistrySettings, Settings
from zelador.unread import Unread, UnreadTopics, merged
from zelador.user import expanded

LISTEN_S = 4.0  # how long the doctor listens for messages that no profile reads
LIMIT_S = 18.0  # for all checks that wait for a server

RegistryCheck = Callable[[RegistrySettings, Seen | None], tuple[list[Finding], Chosen | None]]


@dataclass(frozen=True, slots=True)
class Report:
    """The result of all checks. `rate` is in readings per second; `rate` and `outage_s` are None if unknown."""

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
class _Facts:
    """What the threads have found so far; None for what is not known yet."""

    broker: BrokerFacts | None = None
    redis: RedisFacts | None = None
    beats: list[Beat] | None = None
    rate: float | None = None
    ledger: LedgerSnapshot | None = None
    registry: tuple[list[Finding], Chosen | None] | None = None
    unread: list[Unread] = field(default_factory=list)
    endpoints: list[Finding] = field(default_factory=list)


def examine(
    settings: Settings, registry: RegistryCheck, home_facts: HomeFacts | None, conf: Path | None, probe: bool
) -> Report:
    """Runs the checks. Raises InvalidInput if `conf` cannot be read."""
    config_path = conf or (home_facts.broker_config if home_facts else settings.mqtt.broker_config_file)
    config = read_config(config_path) if config_path else None
    facts = _Facts()
    serve = home_facts is None or home_facts.running
    _gather(settings, registry, home_facts, config, probe, facts, serve)
    findings: list[Finding] = list(facts.endpoints)
    if home_facts is not None and not home_facts.running:
        findings.append(home.not_running(home_facts))
    if home_facts is not None:
        findings.append(home.privacy(home_facts))
    queue = None
    if serve:
        queue = _servers(settings, home_facts, config, facts, findings)
        findings += topics.judge(facts.unread)
    findings += configured(settings)
    chosen = None
    if facts.registry is None:
        findings.append(_timed_out("registry", settings.registry.url))
    else:
        found, chosen = facts.registry
        findings += found
    if facts.beats is not None:
        findings += processes.judge(facts.beats, chosen)
        if facts.ledger is not None:
            findings += archive.judge(settings, facts.ledger, facts.beats)
        findings += processes.clocks(facts.redis.seconds_ahead if facts.redis else None, facts.beats)
    findings += disk.look(_folders(settings, home_facts, config, facts.redis))
    rate = facts.rate
    if home_facts is not None:
        findings = [home.typed_for(home_facts, found) for found in findings]
    covers = outage.covered_s(queue, rate, settings.mqtt.session_expiry_s) if rate else None
    return Report(findings, rate, covers, queue)


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _gather(
    settings: Settings,
    registry: RegistryCheck,
    home_facts: HomeFacts | None,
    config: BrokerConfig | None,
    probe: bool,
    facts: _Facts,
    serve: bool,
) -> None:
    def check_broker() -> None:
        if home_facts is None and no_broker_here(settings):
            return
        facts.broker = broker_facts.look(settings, probe, config.queue_messages if config else None)

    def check_redis() -> None:
        facts.redis = buffer_facts.look(settings.redis)
        if facts.redis.trouble is None:
            try:
                facts.beats = buffer_facts.beats(settings.redis)
            except (redis.RedisError, OSError, Unavailable) as error:
                facts.redis = RedisFacts(trouble=str(error))
                return
            facts.rate = buffer_facts.rate(settings.redis)
            facts.ledger = buffer_facts.standing(settings.redis)

    # The gate of an embedded broker counts these topics, with the settings of that `up`.
    has_gate = home_facts is not None and home_facts.broker in ("mosquitto", "iotcore")

    def check_topics() -> None:
        found = buffer_facts.unread(settings.redis)
        if has_gate:
            facts.unread = found
            return
        heard = UnreadTopics(settings)
        with contextlib.suppress(Unavailable):  # the check of the broker reports it
            listen(settings, f"zelador-doctor-look-{os.getpid()}", heard, threading.Event(), LISTEN_S)
        facts.unread = merged([heard.found(), found])

    def check_registry() -> None:
        facts.registry = registry(settings.registry, last_seen.ask(settings.redis)[0])

    def check_endpoints() -> None:
        if home_facts is not None:
            facts.endpoints = list(home.endpoints(home_facts))

    work: list[Callable[[], None]] = [check_registry]
    if serve:
        work += [check_broker, check_redis, check_endpoints, check_topics]
    _in_parallel(work)


def _in_parallel(work: Sequence[Callable[[], None]]) -> None:
    """Runs functions in parallel. Returns when all are done or the limit is reached; raises the first error."""
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
    settings: Settings,
    home_facts: HomeFacts | None,
    config: BrokerConfig | None,
    facts: _Facts,
    findings: list[Finding],
) -> Queue | None:
    queue = None
    if home_facts is None and no_broker_here(settings):
        findings.append(elsewhere())
    elif facts.broker is None:
        findings.append(_timed_out("broker", "the MQTT broker"))
    else:
        findings += broker.judge(settings, facts.broker, home_facts.broker if home_facts else None)
        if facts.broker.trouble is None or config is not None:
            queue = outage.queue_of(config, facts.broker.probe)
            expiry = settings.mqtt.session_expiry_s
            findings.append(outage.outage(queue, config, facts.broker.probe, facts.rate, expiry))
            findings.append(persistence(config))
    if facts.redis is None:
        findings.append(_timed_out("redis", "Redis"))
    else:
        findings += buffer.judge(settings.redis, facts.redis)
        findings += buffer.bounds(facts.redis, sum(parts(settings).values()))
    return queue


def _folders(
    settings: Settings, home_facts: HomeFacts | None, config: BrokerConfig | None, facts: RedisFacts | None
) -> dict[str, Path]:
    """Returns the data folders on this machine. A folder that a server reports counts only if the server is here."""
    folders: dict[str, Path] = {}
    if "://" not in settings.registry.url:
        folders["registry"] = expanded(Path(settings.registry.url))
    if settings.archive.enabled and "://" not in settings.archive.url:
        folders["archive"] = expanded(Path(settings.archive.url))
    redis_url, mqtt_url = urlsplit(settings.redis.url), urlsplit(settings.mqtt.url)
    redis_dir = facts.config.get("dir") if facts else None
    if home_facts is not None:
        folders["redis"] = home_facts.folder / "redis"
    elif redis_dir and is_local(redis_url.scheme, redis_url.hostname) and Path(redis_dir).exists():
        folders["redis"] = Path(redis_dir)
    if config and config.location and is_local(mqtt_url.scheme, mqtt_url.hostname) and config.location.exists():
        folders["broker"] = config.location
    return folders


def _timed_out(check: str, what: str) -> Finding:
    return broken(
        check,
        f"{what} did not answer within {LIMIT_S:g} s",
        "nothing that was acknowledged; it cannot be used now",
        "check its machine, its disk and the name service",
    )
