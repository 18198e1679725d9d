"""The connection to Redis, with retries, and the errors that are worth a retry."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from zelador.buffer.durability import NotSynced, require_synced
from zelador.buffer.written import NotWritten, persistence
from zelador.errors import Unavailable, ZeladorError
from zelador.retry import backoff
from zelador.settings import RedisSettings, redact
from zelador.tls import explain, unreadable

log = logging.getLogger(__name__)

T = TypeVar("T")

# Temporary errors of Redis: full, read-only, failing over, saving failed, busy, not written yet. redis-py has a class
# for some (and removes the code from their text); the others start with their code.
NOT_NOW = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    redis.exceptions.TryAgainError,
    redis.exceptions.ClusterDownError,
    NotWritten,
    NotSynced,
)
NOT_NOW_CODES = ("MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE", "LOADING", "OOM")


class Stopping(ZeladorError):
    """The process was asked to stop while a server was down. Nothing was settled."""


def connect_redis(settings: RedisSettings) -> redis.Redis:
    """A client that never repeats a command by itself, because a repeated append would add a second entry.

    If the settings require `synced`, each connection raises NotSynced unless Redis syncs each change.
    """
    if trouble := unreadable(settings.ca_file, "ZELADOR_REDIS__CA_FILE"):
        raise Unavailable(trouble)
    try:
        return redis.Redis.from_url(
            settings.url,
            protocol=2,  # with RESP3, replies of XREADGROUP have another shape
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            redis_connect_func=require_synced if settings.durability == "synced" else None,
            **_authority(settings),
        )
    except (ValueError, redis.RedisError) as error:
        raise Unavailable(f"ZELADOR_REDIS__URL cannot be used: {error}") from None


def _authority(settings: RedisSettings) -> dict[str, str]:
    """The CA for TLS that the settings name. An option in the URL takes precedence."""
    is_tls = settings.url.startswith("rediss://")
    return {"ssl_ca_certs": str(settings.ca_file)} if is_tls and settings.ca_file is not None else {}


def not_now(error: Exception) -> bool:
    """True if `error` is temporary, or an operator can fix it, so that the call should be retried."""
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError, *NOT_NOW)):
        return True
    return isinstance(error, redis.ResponseError) and str(error).startswith(NOT_NOW_CODES)


class RedisConnection:
    """Calls Redis until it answers, with a jittered back-off. A request to stop ends the retries."""

    def __init__(self, settings: RedisSettings, stop: Event, wait: Callable[[float], object] | None = None) -> None:
        """`wait` keeps an MQTT session alive while Redis is down; by default it only waits for `stop`."""
        self.client = connect_redis(settings)
        self._settings = settings
        self._stop = stop
        self.wait = wait or stop.wait
        self.failures = 0
        self.error: str | None = None  # the call that is being retried, and why
        self.away_since = 0.0  # monotonic clock
        self.refusal: str | None = None  # the error, if Redis answers but refuses

    def open(self, patience_s: float) -> None:
        """Raises Unavailable if Redis does not answer within `patience_s`, so that startup reports a wrong address.

        Raises it at once if Redis does not sync as the settings require. Logs other risks for readings.
        """
        waited, attempt = 0.0, 0
        while not self._stop.is_set():
            try:
                self.client.ping()
                held, remark = persistence(self.client)
            except NotSynced as error:
                raise Unavailable(str(error)) from None
            except (redis.RedisError, OSError) as error:
                attempt += 1
                delay = backoff(attempt)
                if waited + delay > patience_s or not not_now(error):
                    if why := explain(error, "ZELADOR_REDIS__CA_FILE"):
                        raise Unavailable(f"the Redis at {redact(self._settings.url)}: {why}") from None
                    raise Unavailable(
                        f"no Redis answers at {redact(self._settings.url)} ({error}); "
                        f"start it or set ZELADOR_REDIS__URL"
                    ) from None
                self._stop.wait(delay)
                waited += delay
            else:
                if held or remark:
                    log.warning(held or remark)
                return

    def call(self, what: str, function: Callable[[], T]) -> T:
        """The result of `function()`. Raises Stopping if asked to stop while Redis is down."""
        attempt = 0
        while True:
            try:
                result = function()
            except Exception as error:
                if not not_now(error):
                    raise
                self.failures += 1
                attempt += 1
                delay = backoff(attempt)
                if self.error is None:
                    self.away_since = time.monotonic()
                self.error = f"cannot {what}: {error}"
                self.refusal = str(error) if isinstance(error, redis.ResponseError) else None
                log.warning("%s; next try in %.1f s", self.error, delay)
                self.wait(delay)
                if self._stop.is_set():
                    raise Stopping(f"asked to stop while waiting to {what}") from error
            else:
                if attempt:
                    self.error = self.refusal = None
                    log.info("Redis answers again after %d tries", attempt)
                return result
