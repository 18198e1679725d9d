"""What the settings alone say: topics, names, passwords, TLS. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from command.doctor.finding import Finding, broken, fine, risky
from zelador.settings import Settings

LEAST_EXPIRY_S = 3_600  # a session that the broker forgets sooner does not outlive a night's mishap


def configured(settings: Settings) -> Iterator[Finding]:
    yield topics(settings)
    yield session(settings)
    yield from secrecy(settings)


def topics(settings: Settings) -> Finding:
    """A subscription that matches our own predictions would feed them back for ever."""
    given = settings.topics
    said = f"readings on {given.reading}, predictions on {given.prediction}"
    if overlap(given.reading, given.prediction):
        return broken(
            "topics",
            f"{said}: the subscription to readings takes our own predictions",
            "every prediction comes back as a reading and is quarantined; the quarantine pushes out what belongs there",
            "set ZELADOR_TOPICS__PREDICTION to a topic that ZELADOR_TOPICS__READING does not match, "
            "such as sensors/{device_id}/prediction",
        )
    if overlap(given.reading, given.status):
        return broken(
            "topics",
            f"{said}: the subscription to readings takes the services' status on {given.status}",
            "each birth and will of a service is quarantined as a reading",
            "set ZELADOR_TOPICS__STATUS to a topic that ZELADOR_TOPICS__READING does not match",
        )
    return fine("topics", f"{said}, apart from each other")


def overlap(one: str, other: str) -> bool:
    """Whether some topic fits both templates; what stands in braces fits any one level."""
    ours, theirs = one.split("/"), other.split("/")
    return len(ours) == len(theirs) and all(a == b or "{" in a or "{" in b for a, b in zip(ours, theirs, strict=True))


def session(settings: Settings) -> Finding:
    expiry, client_id = settings.mqtt.session_expiry_s, settings.ingest.client_id
    if not client_id.strip():
        return broken(
            "session",
            "the ingester has no client id",
            "the broker keeps no queue for a client without a name",
            "set ZELADOR_INGEST__CLIENT_ID, such as zelador-ingest",
        )
    if expiry < LEAST_EXPIRY_S:
        return risky(
            "session",
            f"the broker forgets the ingester {client_id} after {expiry} s",
            f"all that waits at the broker, when the ingester is away for more than {expiry} s",
            "unset ZELADOR_MQTT__SESSION_EXPIRY_S (7 days), or set it to more than the longest outage",
        )
    return fine("session", f"the ingester is {client_id}; the broker is asked to keep its queue for {expiry} s")


def secrecy(settings: Settings) -> Iterator[Finding]:
    """A password and TLS are wanted as soon as the address is another machine's."""
    for check, name, url, username, password in (
        ("broker.access", "MQTT", settings.mqtt.url, settings.mqtt.username, settings.mqtt.password),
        ("redis.access", "REDIS", settings.redis.url, None, None),
    ):
        parts = urlsplit(url)
        if is_local(parts.scheme, parts.hostname):
            yield fine(check, "on this machine: neither password nor TLS is needed")
            continue
        scheme = f"{name.lower()}s"
        if not (password or parts.password or (name == "MQTT" and settings.mqtt.certificate_file)):
            yield risky(
                check,
                f"{parts.hostname} is another machine, and no password is set",
                "whoever reaches the port reads, writes or empties what is there",
                f"set a password there, and ZELADOR_{name}__URL={scheme}://USER:PASSWORD@{parts.hostname}",
            )
        elif parts.scheme != scheme:
            who = f" for {username or parts.username}" if username or parts.username else ""
            yield risky(
                check,
                f"the password{who} and every reading go to {parts.hostname} in the clear",
                "whoever listens on the way has the password",
                f"switch TLS on there, and set ZELADOR_{name}__URL={scheme}://… (ZELADOR_MQTT__CA_FILE for your own CA)"
                if name == "MQTT"
                else f"switch TLS on there, and set ZELADOR_{name}__URL={scheme}://…",
            )
        else:
            yield fine(check, f"password and TLS to {parts.hostname}")


def is_local(scheme: str, host: str | None) -> bool:
    if scheme == "unix" or host in (None, "localhost"):
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
