"""A Redis with full memory or a full disk: nothing is acknowledged until there is space, then everything continues."""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
from collections.abc import Callable

import pytest
import redis

from tests.faults.conftest import Note, is_whole, whole_matrix
from tests.faults.trial import Trial

SOME = 200  # readings that the broker holds meanwhile
DISK = 400_000  # the first limit of the append-only file, in bytes


def refuses_writes(trial: Trial) -> bool:
    try:
        trial.site.client.set("probe", 1)
    except redis.RedisError:
        return True
    trial.site.client.delete("probe")
    return False


def nothing_is_acknowledged_until(trial: Trial, freed: Callable[[], object]) -> None:
    """Readings wait unacknowledged at the broker, and none of them gets a prediction."""
    site = trial.site
    site.wait(lambda: site.with_the_broker() >= SOME, "readings to be held")
    held = trial.devices.next
    site.wait(lambda: trial.devices.next > held + SOME, "more readings")
    assert not any(trial.book.stored[number] or trial.book.predicted[number] for number in range(held, held + SOME))
    freed()


def test_a_redis_without_memory_loses_nothing(trial: Trial, note: Note) -> None:
    client = trial.site.client
    with trial.load():
        client.config_set("maxmemory", "1")
        assert refuses_writes(trial)

        def free() -> None:
            client.config_set("maxmemory", "0")

        try:
            nothing_is_acknowledged_until(trial, free)
        finally:
            free()
        recovery = trial.answered(trial.await_the_next())
    is_whole(trial, note, recovery=recovery)


def small_disk() -> None:
    """Makes a write of the child beyond the limit fail, as on a full disk, instead of ending the process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK, resource.RLIM_INFINITY))


@whole_matrix
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process can be raised on Linux only")
def test_a_full_disk_of_redis_loses_nothing(make_trial: Callable[..., Trial], note: Note) -> None:
    """Every write to the append-only file fails above DISK bytes; then there is space again."""
    trial = make_trial(prepare_redis=small_disk)
    with trial.load(), contextlib.suppress(redis.RedisError):
        trial.site.wait(lambda: refuses_writes(trial), "the disk to be full")

        def free() -> None:
            pid = trial.site.processes["redis"].pid
            assert pid is not None
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        nothing_is_acknowledged_until(trial, free)
        recovery = trial.answered(trial.await_the_next())
    is_whole(trial, note, recovery=recovery)
