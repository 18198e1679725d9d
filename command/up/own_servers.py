"""Servers that the user runs, which `zelador up` uses instead of starting its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from zelador.buffer.connection import RedisConnection
from zelador.errors import InvalidInput, Unavailable
from zelador.link import Link, LinkOptions
from zelador.settings import MqttSettings, RedisSettings, Settings, load_settings, redact

MQTT_KEYS = (
    "url", "username", "password", "ca_file", "certificate_file", "key_file", "broker_config_file", "session_expiry_s",
)  # fmt: skip
REDIS_KEYS = ("url", "ca_file")


@dataclass(frozen=True, slots=True)
class Own:
    """The option or setting that named the user's broker and Redis; None if `up` starts the server."""

    broker: str | None = None
    redis: str | None = None

    def check(self, settings: Settings, stop: Event) -> None:
        """Raises Unavailable, which names the option or setting, if a server does not answer."""
        if self.broker is not None:
            answers(self.broker, lambda: _try_broker(settings.mqtt, stop))
        if self.redis is not None:
            answers(self.redis, lambda: _try_redis(settings.redis, stop))

    def remembered(self, settings: Settings) -> dict[str, Any]:
        """Returns what other commands need to know about these servers, for the home's private file."""
        found: dict[str, Any] = {}
        if self.broker is not None:
            mqtt = settings.mqtt.model_dump(mode="json")
            found["mqtt"] = {key: mqtt[key] for key in MQTT_KEYS}
        if self.redis is not None:
            redis = settings.redis.model_dump(mode="json")
            found["redis"] = {key: redis[key] for key in REDIS_KEYS}
        return found


def chosen(settings: Settings, broker: str | None, redis: str | None) -> tuple[Settings, Own]:
    """Returns the settings with the servers of the options. ZELADOR_MQTT__URL and ZELADOR_REDIS__URL count too, if set.

    Raises InvalidInput.
    """
    given = settings.model_dump(by_alias=True, exclude_unset=True)
    for option, section, url, fix in (
        ("--broker", "mqtt", broker, "set ZELADOR_MQTT__USERNAME and ZELADOR_MQTT__PASSWORD"),
        ("--redis", "redis", redis, "set ZELADOR_REDIS__URL instead of --redis"),
    ):
        if url is None:
            continue
        try:
            has_password = urlsplit(url).password is not None
        except ValueError:
            has_password = False
        if has_password:
            raise InvalidInput(f"{option}: every user of this machine can see a password on a command line; {fix}")
        try:
            (MqttSettings if section == "mqtt" else RedisSettings)(url=url)
        except ValueError:
            like = "mqtt://host:1883 or mqtts://host:8883" if section == "mqtt" else "redis://host:6379/0"
            raise InvalidInput(f"{option} {url}: must look like {like}") from None
        given[section] = {**given.get(section, {}), "url": url}
    own = Own(
        "--broker" if broker else _setting_name(settings.mqtt, "ZELADOR_MQTT__URL"),
        "--redis" if redis else _setting_name(settings.redis, "ZELADOR_REDIS__URL"),
    )
    return load_settings(**given), own


def answers(source: str, attempt: Callable[[], None]) -> None:
    """Calls `attempt`. Raises Unavailable, which names the option or setting that is the cause."""
    try:
        attempt()
    except Unavailable as error:
        text = str(error)
        if text.startswith("ZELADOR_"):  # the error names another setting, such as the file with the CA
            raise
        for setting in ("ZELADOR_MQTT__URL", "ZELADOR_REDIS__URL"):
            text = text.replace(f"start it or set {setting}", f"start it or change {source}")
        raise Unavailable(text if source in text else f"{source}: {text}") from None


def address(settings: Settings, own: Own) -> str:
    """Names the user's servers, for the log."""
    parts = []
    if own.broker is not None:
        parts.append(f"the broker at {redact(settings.mqtt.url)} ({own.broker})")
    if own.redis is not None:
        parts.append(f"the Redis at {redact(settings.redis.url)} ({own.redis})")
    return " and ".join(parts)


def _setting_name(section: MqttSettings | RedisSettings, name: str) -> str | None:
    """Returns the setting's name, if the environment or the settings file sets it."""
    return name if "url" in section.model_fields_set else None


def _try_broker(settings: MqttSettings, stop: Event) -> None:
    link = Link(settings, LinkOptions(f"zelador-up-{secrets.token_hex(4)}"), stop)
    try:
        link.open(settings.start_patience_s)
    finally:
        link.close()


def _try_redis(settings: RedisSettings, stop: Event) -> None:
    connection = RedisConnection(settings, stop)
    try:
        connection.open(settings.start_patience_s)
    finally:
        connection.client.close()
