"""Redis: what its settings cost when it dies, or is full. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from command.doctor.finding import Finding, broken, fine, risky
from zelador.buffer.budget import ROOM
from zelador.buffer.durability import unsynced
from zelador.buffer.written import says
from zelador.settings import RedisSettings, redact

OLDEST = (6, 2)  # XAUTOCLAIM and SMISMEMBER are needed
MENDED = (7, 0)  # 6.2 as packaged often lacks the fixes of the Lua faults of 2024 and 2025
FULL, NEARLY_FULL = 0.95, 0.80  # of maxmemory
MOST_OF_MACHINE = 0.60  # of the machine's memory, where there is no maxmemory
UNSEEN = "redis-cli CONFIG GET {0} as its administrator shows it; ACL SETUSER {1} +config|get lets us ask"


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """`info` as INFO gives it; `config` only what CONFIG GET showed: empty where we may not ask."""

    trouble: str | None = None  # why it does not answer at all
    info: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    refused_write: str | None = None  # what it said to a small write
    seconds_ahead: float | None = None  # its clock less ours

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


def unreachable(where: str, trouble: str, who: str) -> Finding:
    if any(word in trouble for word in ("NOAUTH", "WRONGPASS", "Authentication", "invalid username")):
        mend = "set ZELADOR_REDIS__URL=redis://USER:PASSWORD@HOST:PORT/0 with the password that Redis wants"
    elif ("NOPERM" in trouble or "no permissions" in trouble) and "'info'" in trouble:
        return broken(
            "redis",
            f"{where}: our user has no right +info, so that Redis does not say what it has written",
            "nothing: nothing is acknowledged, readings wait at the broker, as long as its queue lasts",
            f"ACL SETUSER {who} +info",
        )
    elif "NOPERM" in trouble or "no permissions" in trouble:
        mend = "let our user in: ACL SETUSER USER on +@all -@dangerous +info ~* &*"
    else:
        mend = "start it (zelador up, or systemctl start redis-server), or set ZELADOR_REDIS__URL"
    lost = "nothing that was acknowledged: readings wait at the broker, as long as its queue lasts"
    return broken("redis", f"{where}: {trouble}", lost, mend)


def version(where: str, facts: RedisFacts) -> Finding:
    said = facts.info.get("redis_version", "")
    valkey = facts.info.get("valkey_version")
    name = f"Valkey {valkey}" if valkey else f"Redis {said or 'of an unknown version'}"
    parts = tuple(int(part) for part in said.split(".")[:2] if part.isdigit())
    if parts and parts < OLDEST:
        return broken(
            "redis",
            f"{name} at {where} has no XAUTOCLAIM and no SMISMEMBER",
            "nothing: no service of ours can work with it",
            "upgrade to Redis 7 or newer",
        )
    if parts and parts < MENDED:
        return risky(
            "redis",
            f"{name} at {where}: old enough to lack the fixes of the Lua faults (CVE-2025-49844 among them)",
            "all of it, to whoever may run a script there",
            "upgrade to Redis 7 or newer, or to a 6.2 with the fixes",
        )
    return fine("redis", f"{name} at {where}")


def aof(facts: RedisFacts) -> Finding:
    on = facts.info.get("aof_enabled", "1" if facts.config.get("appendonly") == "yes" else "0")
    if on != "1":
        return broken(
            "redis.appendonly",
            "appendonly no: the buffer is in memory only, but for a snapshot now and then",
            "every reading that was acknowledged and waits, and the ledger's count since the last snapshot, "
            "when Redis dies or restarts",
            "redis-cli CONFIG SET appendonly yes, and in redis.conf: appendonly yes; "
            "nothing is safe before INFO has aof_rewrite_in_progress:0",
        )
    if not says(facts.info):
        return broken(
            "redis.appendonly",
            "INFO persistence does not say what is written: this service hides it",
            "nothing: nothing is acknowledged, readings wait at the broker, as long as its queue lasts",
            "use a Redis whose INFO has aof_pending_bio_fsync and aof_buffer_length (7 or newer, Valkey)",
        )
    if facts.info["aof_last_write_status"] != "ok":
        return broken(
            "redis.appendonly",
            "the last write to the append-only file failed",
            "nothing yet: Redis refuses writes; what waits is lost if it dies now",
            "make room on its disk, or mend it; its log says which",
        )
    if facts.info.get("aof_last_bgrewrite_status", "ok") != "ok":
        return risky(
            "redis.appendonly",
            "the last rewrite of the append-only file failed: it grows for ever",
            "nothing, until its disk is full and Redis refuses writes",
            "make room (disk and memory, vm.overcommit_memory=1), then redis-cli BGREWRITEAOF",
        )
    return fine("redis.appendonly", f"appendonly yes, written well, {facts.number('aof_current_size'):,} bytes")


def fsync(facts: RedisFacts, who: str) -> Finding:
    check, said = "redis.appendfsync", facts.config.get("appendfsync")
    if said == "always":
        return fine(check, "always: a power cut costs nothing")
    if said == "everysec":
        return fine(check, "everysec: a kill costs nothing (we acknowledge what is written), a power cut up to 2 s")
    if said is None:
        return risky(
            check,
            "Redis does not let us ask",
            "up to the last 30 s of what was taken, at a power cut, if it says no",
            UNSEEN.format("appendfsync", who),
        )
    return risky(
        check,
        f"{said}: the kernel decides when the file is written",
        "some 30 s of what was taken, at a power cut",
        "redis-cli CONFIG SET appendfsync everysec, and in redis.conf: appendfsync everysec",
    )


def synced(facts: RedisFacts, who: str) -> Finding:
    """Where the settings want each change on the disk: services do not start with a Redis that does otherwise."""
    check, lost = "redis.appendfsync", "nothing: no service of ours starts, readings wait at the broker"
    if not facts.config:
        return broken(check, "Redis does not let us see whether it syncs", lost, UNSEEN.format("appendfsync", who))
    if why := unsynced(facts.config):
        return broken(check, why.partition(": ")[0], lost, why.partition(": ")[2])
    return fine(check, "always: neither a kill nor a power cut costs anything")


def eviction(facts: RedisFacts) -> Finding:
    policy = facts.info.get("maxmemory_policy") or facts.config.get("maxmemory-policy") or "unknown"
    if policy == "noeviction":
        return fine("redis.maxmemory-policy", "noeviction: when it is full, it refuses and we hold")
    return broken(
        "redis.maxmemory-policy",
        f"{policy}: when it is full, it throws keys away",
        "readings that nobody has classified, the ledger, or the ids by which repeats are known, when Redis is full",
        "redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf: maxmemory-policy noeviction",
    )


def memory(facts: RedisFacts) -> Finding:
    used, most, machine = (facts.number(name) for name in ("used_memory", "maxmemory", "total_system_memory"))
    check, limit = "redis.memory", most or machine
    if not limit:
        return fine(check, f"{_mib(used)} used, no limit")
    share = used / limit
    if most:
        said = f"{_mib(used)} of maxmemory {_mib(most)} used"
        lost = "nothing: Redis refuses, readings wait at the broker as long as its queue lasts"
        mend = f"redis-cli CONFIG SET maxmemory {2 * most}, and the same in redis.conf; or look why readings wait"
        if share >= FULL:
            return broken(check, f"{said}: it refuses writes", lost, mend)
        if share >= NEARLY_FULL:
            return risky(check, said, lost, mend)
        return fine(check, said)
    said = f"{_mib(used)} used, no maxmemory, of the machine's {_mib(machine)}"
    if share >= MOST_OF_MACHINE:
        return risky(
            check,
            said,
            "minutes of service, when the kernel kills it for its memory; nothing that was acknowledged",
            f"redis-cli CONFIG SET maxmemory {int(machine * MOST_OF_MACHINE)}, and the same in redis.conf",
        )
    return fine(check, said)


def bounds(facts: RedisFacts, needed: int) -> Iterator[Finding]:
    """Whether back-pressure comes before `maxmemory`; `needed` is what Redis takes with every bound reached."""
    most = facts.number("maxmemory")
    if facts.trouble is None and 0 < most < needed:
        yield risky(
            "redis.bounds",
            f"maxmemory {_mib(most)} is less than the {_mib(needed)} that our bounds let it hold",
            "nothing: Redis may be full before the ingester holds, and everything waits until somebody looks",
            f"redis-cli CONFIG SET maxmemory {int(ROOM * needed)}, and the same in redis.conf; or lower "
            "ZELADOR_REDIS__KEEP_BYTES, ZELADOR_INGEST__HIGH_WATER_BYTES or ZELADOR_REDIS__KEEP_DEVICES",
        )


def writes(facts: RedisFacts) -> Finding:
    check = "redis.writes"
    lost = "nothing that was acknowledged: readings wait at the broker, as long as its queue lasts"
    if facts.info.get("role", "master") != "master":
        return broken(check, "is a read-only replica", lost, "set ZELADOR_REDIS__URL to the primary")
    if facts.info.get("loading", "0") == "1":
        return broken(check, "still loads its data from disk", lost, "wait; zelador doctor again tells when it is done")
    if facts.refused_write is not None:
        return broken(
            check,
            f"refused a small write: {facts.refused_write}",
            lost,
            "what it says: memory, disk, or the access list (our user needs its keys, +@write, +@stream, +@scripting)",
        )
    return fine(check, "takes writes")


def _mib(size: int) -> str:
    return f"{size / 1_048_576:,.1f} MiB"
