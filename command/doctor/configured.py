"""Checks the settings alone: topics, client id, passwords, TLS. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from command.doctor.finding import Finding, broken, fine, risky
from zelador.settings import Settings

MIN_EXPIRY_S = 3_600  # a session that expires sooner does not survive a longer outage


def configured(settings: Settings) -> Iterator[Finding]:
    yield topics(settings)
    yield session(settings)
    yield from secrecy(settings)


def topics(settings: Settings) -> Finding:
    """Detects a subscription that matches the service's own messages: it would feed them back in a loop."""
    given = settings.topics
    topics_text = f"readings on {given.reading}, predictions on {given.prediction}"
    if overlap(given.reading, given.prediction):
        return broken(
            "topics",
            f"{topics_text}: the subscription to readings also matches the predictions",
            "quarantined messages: every prediction comes back as a reading, is quarantined, and displaces one",
            "set ZELADOR_TOPICS__PREDICTION to a topic that ZELADOR_TOPICS__READING does not match, "
            "such as sensors/{device_id}/prediction",
        )
    if overlap(given.reading, given.status):
        return broken(
            "topics",
            f"{topics_text}: the subscription to readings also matches the services' status on {given.status}",
            "quarantined messages: every status message of a service is quarantined as a reading, and displaces one",
            "set ZELADOR_TOPICS__STATUS to a topic that ZELADOR_TOPICS__READING does not match",
        )
    if overlap(given.reading, given.state):
        return broken(
            "topics",
            f"{topics_text}: the subscription to readings also matches the states of devices on {given.state}",
            "quarantined messages: every state of a device is quarantined as a reading, and displaces one",
            "set ZELADOR_TOPICS__STATE to a topic that ZELADOR_TOPICS__READING does not match, such as "
            "sensors/{device_id}/state",
        )
    return fine("topics", f"{topics_text}: no overlap")


def overlap(one: str, other: str) -> bool:
    """Returns whether a topic can match both templates. A placeholder in braces matches any one level."""
    left, right = one.split("/"), other.split("/")
    return len(left) == len(right) and all(a == b or "{" in a or "{" in b for a, b in zip(left, right, strict=True))


def no_broker_here(settings: Settings) -> bool:
    """Returns whether only Redis's address is set, and not the broker's, as for a trainer or an API on its own."""
    redis_url = urlsplit(settings.redis.url)
    redis_is_set = "url" in settings.redis.model_fields_set and not is_local(redis_url.scheme, redis_url.hostname)
    return redis_is_set and "url" not in settings.mqtt.model_fields_set


def elsewhere() -> Finding:
    return risky(
        "broker",
        "not checked: ZELADOR_MQTT__URL is not set here; the trainer and the API do not use the broker",
        "unknown from here",
        "run zelador doctor where the ingester or a worker runs: docker-compose exec inference zelador doctor",
    )


def session(settings: Settings) -> Finding:
    expiry, client_id = settings.mqtt.session_expiry_s, settings.ingest.client_id
    if not client_id.strip():
        return broken(
            "session",
            "the ingester has no client id",
            "messages sent while the ingester is away: the broker keeps no queue for a client without an id",
            "set ZELADOR_INGEST__CLIENT_ID, such as zelador-ingest",
        )
    if expiry < MIN_EXPIRY_S:
        return risky(
            "session",
            f"the session of ingester {client_id} expires after {expiry} s",
            f"all messages queued at the broker, if the ingester is away for more than {expiry} s",
            "unset ZELADOR_MQTT__SESSION_EXPIRY_S (7 days), or set it to more than the longest outage",
        )
    return fine("session", f"the ingester is {client_id}; it asks the broker to keep its queue for {expiry} s")


def secrecy(settings: Settings) -> Iterator[Finding]:
    """Checks that servers on other machines have a password and TLS."""
    without_broker = no_broker_here(settings)
    for check, name, url, username, password in (
        ("broker.access", "MQTT", settings.mqtt.url, settings.mqtt.username, settings.mqtt.password),
        ("redis.access", "REDIS", settings.redis.url, None, None),
    ):
        if name == "MQTT" and without_broker:
            continue
        parts = urlsplit(url)
        if is_local(parts.scheme, parts.hostname):
            yield fine(check, _local_access(parts.scheme, bool(password or parts.password)))
            continue
        scheme = f"{name.lower()}s" if name == "MQTT" else "rediss"
        if not (password or parts.password or (name == "MQTT" and settings.mqtt.certificate_file)):
            yield risky(
                check,
                f"{parts.hostname} is another machine and no password is set",
                "anything there: anyone who can reach the port can read, write or delete it",
                f"set a password on the server and ZELADOR_{name}__URL={scheme}://USER:PASSWORD@{parts.hostname}",
            )
        elif parts.scheme != scheme:
            who = f" for {username or parts.username}" if username or parts.username else ""
            yield risky(
                check,
                f"the password{who} and all readings are sent to {parts.hostname} unencrypted",
                "the password, to anyone who can observe the network",
                f"enable TLS on the server and set ZELADOR_{name}__URL={scheme}://…"
                + f" (ZELADOR_{name}__CA_FILE for your own CA)",
            )
        else:
            yield fine(check, f"password and TLS to {parts.hostname}")


def _local_access(scheme: str, password: bool) -> str:
    """Describes the protection of a server on this machine, which needs none."""
    has = [word for word, on in (("a password", password), ("TLS", scheme in ("mqtts", "rediss"))) if on]
    return f"on this machine, with {' and '.join(has)}" if has else "on this machine: no password or TLS needed"


def is_local(scheme: str, host: str | None) -> bool:
    if scheme == "unix" or host in (None, "localhost"):
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
