"""The doctor's checks of Redis, from facts alone."""

from __future__ import annotations

import pytest

from command.doctor import buffer
from command.doctor.buffer import RedisFacts
from zelador.settings import RedisSettings

GOOD_INFO = {
    "redis_version": "7.0.15", "aof_enabled": "1", "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok",
    "maxmemory_policy": "noeviction", "maxmemory": "0", "used_memory": "1000000", "total_system_memory": "8000000000",
    "role": "master", "loading": "0", "aof_pending_bio_fsync": "0", "aof_buffer_length": "0",
}  # fmt: skip
GOOD_CONFIG = {"appendonly": "yes", "appendfsync": "everysec"}


def judged(info: dict[str, str] | None = None, config: dict[str, str] | None = None, **facts) -> dict[str, str]:
    given = RedisFacts(info={**GOOD_INFO, **(info or {})}, config=GOOD_CONFIG if config is None else config, **facts)
    return {found.check: found.state for found in buffer.judge(RedisSettings(), given)}


def test_our_own_settings_are_fine() -> None:
    assert set(judged().values()) == {"fine"}
    assert len(judged()) == 6


@pytest.mark.parametrize(
    ("check", "info", "state"),
    [
        ("redis", {"redis_version": "6.0.16"}, "broken"),
        ("redis", {"redis_version": "6.2.14"}, "risky"),
        ("redis", {"redis_version": "7.2.4", "valkey_version": "9.1.0"}, "fine"),
        ("redis.appendonly", {"aof_enabled": "0"}, "broken"),
        ("redis.appendonly", {"aof_last_write_status": "err"}, "broken"),
        ("redis.appendonly", {"aof_last_bgrewrite_status": "err"}, "risky"),
        ("redis.maxmemory-policy", {"maxmemory_policy": "allkeys-lru"}, "broken"),
        ("redis.maxmemory-policy", {"maxmemory_policy": "volatile-ttl"}, "broken"),
        ("redis.memory", {"maxmemory": "1010000"}, "broken"),
        ("redis.memory", {"maxmemory": "1200000"}, "risky"),
        ("redis.memory", {"maxmemory": "4000000"}, "fine"),
        ("redis.memory", {"used_memory": "6000000000"}, "risky"),
        ("redis.writes", {"role": "slave"}, "broken"),
        ("redis.writes", {"loading": "1"}, "broken"),
    ],
)
def test_a_setting_that_loses_readings_is_named(check: str, info: dict[str, str], state: str) -> None:
    found = judged(info)
    assert found.pop(check) == state
    assert set(found.values()) == {"fine"}


@pytest.mark.parametrize(
    ("said", "state"), [("always", "fine"), ("everysec", "fine"), ("no", "risky"), (None, "risky")]
)
def test_the_loss_at_a_power_cut_is_reported_even_if_config_is_refused(said: str | None, state: str) -> None:
    assert judged(config={"appendfsync": said} if said else {})["redis.appendfsync"] == state


def test_a_refused_write_is_broken() -> None:
    assert judged(refused_write="OOM command not allowed")["redis.writes"] == "broken"


@pytest.mark.parametrize(
    ("trouble", "fix"),
    [
        ("Error 111 connecting to 127.0.0.1:1. Connection refused.", "start it"),
        ("Authentication required.", "ZELADOR_REDIS__URL=redis://USER:PASSWORD"),
        ("invalid username-password pair or user is disabled.", "ZELADOR_REDIS__URL=redis://USER:PASSWORD"),
    ],
)
def test_an_unreachable_redis_is_broken_and_its_password_is_never_shown(trouble: str, fix: str) -> None:
    (found,) = buffer.judge(RedisSettings(url="redis://:secret@redis.example"), RedisFacts(trouble=trouble))
    assert found.state == "broken"
    assert fix in (found.fix or "")
    assert "secret" not in str(found)


def test_every_finding_that_is_not_fine_has_a_loss_and_a_fix() -> None:
    worst = {
        "redis_version": "6.0.1", "aof_enabled": "0", "maxmemory_policy": "allkeys-lru", "maxmemory": "1000000",
        "role": "slave",
    }  # fmt: skip
    found = list(buffer.judge(RedisSettings(), RedisFacts(info={**GOOD_INFO, **worst}, config={})))
    assert {one.state for one in found} == {"broken", "risky"}
    assert all(one.lost and one.fix for one in found)


def test_a_maxmemory_below_the_bounds_is_named_with_the_value_to_set() -> None:
    facts = RedisFacts(info={"maxmemory": "1000000000"})
    assert list(buffer.bounds(facts, 900_000_000)) == []
    assert list(buffer.bounds(RedisFacts(info={"maxmemory": "0"}), 2**40)) == []
    (found,) = buffer.bounds(facts, 2_000_000_000)
    assert (found.check, found.state) == ("redis.bounds", "risky")
    assert "CONFIG SET maxmemory 2600000000" in found.fix
