"""Checks Redis: what its settings lose if it dies or is full. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from command.doctor.finding import Finding, broken, fine, risky
from zelador.buffer.budget import ROOM
from zelador.buffer.durability import unsynced
from zelador.buffer.repeats import Repeats
from zelador.buffer.written import says
from zelador.printable import clean
from zelador.settings import RedisSettings, redact
from zelador.tls import explain

MIN_VERSION = (6, 2)  # XAUTOCLAIM and SMISMEMBER are needed
PATCHED_VERSION = (7, 0)  # packages of 6.2 often lack the fixes for the Lua vulnerabilities of 2024 and 2025
BROKEN_FILL, RISKY_FILL = 0.95, 0.80  # of maxmemory
MAX_MACHINE_FRACTION = 0.60  # of the machine's memory, if maxmemory is not set
MAX_NAMED = 5  # devices in a finding
CONFIG_DENIED = "run redis-cli CONFIG GET {0} as an administrator, or allow it here: ACL SETUSER {1} +config|get"


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What is known about Redis. `info` is the answer to INFO, `config` to CONFIG GET; empty if not permitted."""

    trouble: str | None = None  # why Redis does not answer
    info: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    refused_write: str | None = None  # the error of a small test write
    repeating: Mapping[str, Repeats] = field(default_factory=dict)  # devices with repeats
    seconds_ahead: float | None = None  # its clock minus this machine's

    def number(self, name: str) -> int:
        return int(self.info.get(name, 0) or 0)


def judge(settings: RedisSettings, facts: RedisFacts, who: str = "zelador") -> Iterator[Finding]:
    where = redact(settings.url)
    if facts.trouble is not None:
        yield unreachable(where, facts.trouble, who)
        return
    yield version(where, facts)
    yield aof(facts)
    yield synced(facts, who) if settings.durability == "synced" else fsync(facts, who)
    yield eviction(facts)
    yield memory(facts)
    yield writes(facts)
    yield from repeats(facts)


def unreachable(where: str, trouble: str, who: str) -> Finding:
    if any(word in trouble for word in ("NOAUTH", "WRONGPASS", "Authentication", "invalid username")):
        fix = "set ZELADOR_REDIS__URL=redis://USER:PASSWORD@HOST:PORT/0 with the password of Redis"
    elif ("NOPERM" in trouble or "no permissions" in trouble) and "'info'" in trouble:
        return broken(
            "redis",
            f"{where}: the user may not run INFO, so Zelador cannot know what Redis has written",
            "nothing: nothing is acknowledged, and readings wait at the broker as long as its queue lasts",
            f"ACL SETUSER {who} +info",
        )
    elif "NOPERM" in trouble or "no permissions" in trouble:
        fix = "grant the user access: ACL SETUSER USER on +@all -@dangerous +info ~* &*"
    elif why := explain(trouble, "ZELADOR_REDIS__CA_FILE"):
        trouble, _, fix = why.partition("; ")
    elif trouble.startswith("ZELADOR_REDIS__"):
        fix = "name a file that can be read"
    else:
        fix = "start it (zelador up, or systemctl start redis-server), or set ZELADOR_REDIS__URL"
    lost = "nothing that was acknowledged: readings wait at the broker as long as its queue lasts"
    return broken("redis", f"{where}: {trouble}", lost, fix)


def version(where: str, facts: RedisFacts) -> Finding:
    number = facts.info.get("redis_version", "")
    valkey = facts.info.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"Redis {number or 'of an unknown version'}"
    parts = tuple(int(part) for part in number.split(".")[:2] if part.isdigit())
    if parts and parts < MIN_VERSION:
        return broken(
            "redis",
            f"{name} at {where} lacks XAUTOCLAIM and SMISMEMBER",
            "nothing: no service can work with it",
            "upgrade to Redis 7 or newer",
        )
    if parts and parts < PATCHED_VERSION:
        return risky(
            "redis",
            f"{name} at {where} may lack the fixes for the Lua vulnerabilities (such as CVE-2025-49844)",
            "everything in it, to anyone who can run a script there",
            "upgrade to Redis 7 or newer, or to a 6.2 with the fixes",
        )
    return fine("redis", f"{name} at {where}")


def aof(facts: RedisFacts) -> Finding:
    enabled = facts.info.get("aof_enabled", "1" if facts.config.get("appendonly") == "yes" else "0")
    if enabled != "1":
        return broken(
            "redis.appendonly",
            "appendonly no: the buffer is in memory only, except for occasional snapshots",
            "acknowledged readings that are waiting, and the ledger's counts since the last snapshot, "
            "if Redis dies or restarts",
            "redis-cli CONFIG SET appendonly yes, and in redis.conf: appendonly yes; "
            "nothing is safe until INFO shows aof_rewrite_in_progress:0",
        )
    if not says(facts.info):
        return broken(
            "redis.appendonly",
            "INFO persistence does not show what is written: this Redis service hides it",
            "nothing: nothing is acknowledged, and readings wait at the broker as long as its queue lasts",
            "use a Redis whose INFO has aof_pending_bio_fsync and aof_buffer_length (7 or newer, Valkey)",
        )
    if facts.info["aof_last_write_status"] != "ok":
        return broken(
            "redis.appendonly",
            "the last write to the append-only file failed",
            "nothing yet: Redis refuses writes; waiting readings are lost if it dies now",
            "free space on its disk, or repair the disk; its log has the cause",
        )
    if facts.info.get("aof_last_bgrewrite_status", "ok") != "ok":
        return risky(
            "redis.appendonly",
            "the last rewrite of the append-only file failed: it grows without limit",
            "nothing, until the disk is full and Redis refuses writes",
            "free disk space and memory (vm.overcommit_memory=1), then redis-cli BGREWRITEAOF",
        )
    return fine("redis.appendonly", f"appendonly yes, writes succeed, {facts.number('aof_current_size'):,} bytes")


def fsync(facts: RedisFacts, who: str) -> Finding:
    check, policy = "redis.appendfsync", facts.config.get("appendfsync")
    if policy == "always":
        return fine(check, "always: a power cut loses nothing")
    if policy == "everysec":
        return fine(
            check,
            "everysec: a killed Redis loses nothing (only written readings are acknowledged), a power cut up to 2 s",
        )
    if policy is None:
        return risky(
            check,
            "cannot be read: Redis refuses CONFIG GET",
            "up to the last 30 s of readings at a power cut, if the value is no",
            CONFIG_DENIED.format("appendfsync", who),
        )
    return risky(
        check,
        f"{policy}: the kernel decides when the file is synced",
        "about 30 s of readings at a power cut",
        "redis-cli CONFIG SET appendfsync everysec, and in redis.conf: appendfsync everysec",
    )


def synced(facts: RedisFacts, who: str) -> Finding:
    """Checks the sync policy for durability `synced`: without it, services refuse to start."""
    check, lost = "redis.appendfsync", "nothing: no service starts, and readings wait at the broker"
    if not facts.config:
        return broken(check, "cannot be read: Redis refuses CONFIG GET", lost, CONFIG_DENIED.format("appendfsync", who))
    if why := unsynced(facts.config):
        return broken(check, why.partition(": ")[0], lost, why.partition(": ")[2])
    return fine(check, "always: neither a killed Redis nor a power cut loses anything")


def eviction(facts: RedisFacts) -> Finding:
    policy = facts.info.get("maxmemory_policy") or facts.config.get("maxmemory-policy") or "unknown"
    if policy == "noeviction":
        return fine("redis.maxmemory-policy", "noeviction: when full, Redis refuses writes and the ingester pauses")
    return broken(
        "redis.maxmemory-policy",
        f"{policy}: when full, Redis deletes keys",
        "unclassified readings, the ledger, or the ids that detect repeats, when Redis is full",
        "redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf: maxmemory-policy noeviction",
    )


def memory(facts: RedisFacts) -> Finding:
    used, maximum, machine = (facts.number(name) for name in ("used_memory", "maxmemory", "total_system_memory"))
    check, limit = "redis.memory", maximum or machine
    if not limit:
        return fine(check, f"{_mib(used)} used, no limit")
    used_fraction = used / limit
    if maximum:
        text = f"{_mib(used)} of maxmemory {_mib(maximum)} used"
        lost = "nothing: Redis refuses writes, and readings wait at the broker as long as its queue lasts"
        fix = f"redis-cli CONFIG SET maxmemory {2 * maximum}, and the same in redis.conf; or find out why readings wait"
        if used_fraction >= BROKEN_FILL:
            return broken(check, f"{text}: it refuses writes", lost, fix)
        if used_fraction >= RISKY_FILL:
            return risky(check, text, lost, fix)
        return fine(check, text)
    text = f"{_mib(used)} of the machine's {_mib(machine)} used, maxmemory not set"
    if used_fraction >= MAX_MACHINE_FRACTION:
        return risky(
            check,
            text,
            "nothing that was acknowledged; some minutes of service if the kernel kills it to free memory",
            f"redis-cli CONFIG SET maxmemory {int(machine * MAX_MACHINE_FRACTION)}, and the same in redis.conf",
        )
    return fine(check, text)


def bounds(facts: RedisFacts, needed: int) -> Iterator[Finding]:
    """Checks that back-pressure starts before `maxmemory`. `needed` is the memory used if every bound is reached."""
    maximum = facts.number("maxmemory")
    if facts.trouble is None and 0 < maximum < needed:
        yield risky(
            "redis.bounds",
            f"maxmemory {_mib(maximum)} is less than the {_mib(needed)} that the settings allow",
            "nothing: Redis may be full before the ingester pauses, and everything waits until someone intervenes",
            f"redis-cli CONFIG SET maxmemory {int(ROOM * needed)}, and the same in redis.conf; or lower "
            "ZELADOR_REDIS__KEEP_BYTES, ZELADOR_INGEST__HIGH_WATER_BYTES or ZELADOR_REDIS__KEEP_DEVICES",
        )


def writes(facts: RedisFacts) -> Finding:
    check = "redis.writes"
    lost = "nothing that was acknowledged: readings wait at the broker as long as its queue lasts"
    if facts.info.get("role", "master") != "master":
        return broken(check, "is a read-only replica", lost, "set ZELADOR_REDIS__URL to the primary")
    if facts.info.get("loading", "0") == "1":
        return broken(check, "still loading its data from disk", lost, "wait, then run zelador doctor again")
    if facts.refused_write is not None:
        return broken(
            check,
            f"refused a small test write: {facts.refused_write}",
            lost,
            "see its message: memory, disk, or the ACL (the user needs its keys, +@write, +@stream, +@scripting)",
        )
    return fine(check, "accepts writes")


def repeats(facts: RedisFacts) -> Iterator[Finding]:
    """Finds devices whose readings are mostly repeats. Nearly always, these send several readings with one id."""
    found = {name: each for name, each in facts.repeating.items() if each.are_most}
    if not found:
        return
    worst = sorted(found, key=lambda name: -found[name].repeated)[:MAX_NAMED]
    shown = ", ".join(f"{clean(name)} {found[name].repeated} of {found[name].of}" for name in worst)
    more = f" and {len(found) - len(worst)} more devices" if len(found) > len(worst) else ""
    yield risky(
        "devices.repeats",
        f"most of the last readings are repeats: {shown}{more}",
        "those readings, if they are new: one with the id, time and values of an earlier one is not classified",
        "let the device send a new id, ts or seq with each reading",
    )


def _mib(size: int) -> str:
    return f"{size / 1_048_576:,.1f} MiB"
