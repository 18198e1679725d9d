"""The broker: what it grants, and what is wrong with that. Facts at the edge, the rules pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.outage import Probe
from zelador.settings import Settings, redact

DROPPED = "$SYS/broker/publish/messages/dropped"
VERSION = "$SYS/broker/version"
SLOW_WINDOW = 100  # messages on their way to the broker, below which predictions wait for one another


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """`refused`: topics (or filters) that our user may not use, with the broker's reason."""

    trouble: str | None = None  # why there was no session at all
    granted: dict[str, Any] = field(default_factory=dict)
    asked_expiry_s: int = 0
    version: str | None = None
    dropped: int | None = None
    hangs_up_on_sys: bool = False  # rumqttd (iotcore) does
    cannot_subscribe: dict[str, str] = field(default_factory=dict)
    cannot_publish: dict[str, str] = field(default_factory=dict)
    published_tried: bool = True
    probe: Probe | None = None


def judge(settings: Settings, facts: BrokerFacts, kind: str | None = None) -> Iterator[Finding]:
    """`kind` is the embedded broker's name where it is known."""
    where = redact(settings.mqtt.url)
    if facts.trouble is not None:
        yield unreachable(where, facts.trouble)
        return
    yield version(where, facts, kind)
    yield grants(settings, facts)
    yield permissions(settings, facts)
    if settings.mqtt.shared_group and (kind == "iotcore" or facts.hangs_up_on_sys):
        yield broken(
            "broker.shared",
            f"shared group {settings.mqtt.shared_group} on an iotcore broker",
            "acknowledged readings, when one of the group dies (5 of 1,500 seen, and a broker that fell)",
            "unset ZELADOR_MQTT__SHARED_GROUP, or take Mosquitto 2",
        )
    elif settings.mqtt.shared_group:
        yield risky(
            "broker.shared",
            f"shared group {settings.mqtt.shared_group}: the share of a member that is away waits for it",
            "that share, when the member's session expires; and when Mosquitto 2.0 restarts, which forgets the group, "
            "what comes before an ingester is back",
            "one ingester, unless one is too slow (some 30,000 readings/s); docs/reliability.md has the rest",
        )
    if facts.dropped:
        yield risky(
            "broker.dropped",
            f"has dropped {facts.dropped:,} messages since it started",
            "they were acknowledged to whoever sent them: a queue was full (a probe of this command that finds a queue "
            "too small counts too)",
            "the mend of broker.queue; the count starts again with the broker",
        )
    elif facts.dropped == 0:
        yield fine("broker.dropped", "has dropped nothing since it started")
    elif not facts.hangs_up_on_sys:
        yield fine("broker.dropped", "whether it dropped messages is not shown to us ($SYS/broker/#)")


def unreachable(where: str, trouble: str) -> Finding:
    if "version" in trouble.lower():
        mend = "let the broker speak MQTT 5 (Mosquitto 2: no accept_protocol_versions without 5)"
    elif "refused the connection" in trouble:
        mend = "set ZELADOR_MQTT__USERNAME and ZELADOR_MQTT__PASSWORD, or let that user in (mosquitto_passwd, acl_file)"
    else:
        mend = "start it (zelador up, or systemctl start mosquitto), or set ZELADOR_MQTT__URL"
    lost = "nothing that was acknowledged; no reading comes in and no prediction goes out"
    return broken("broker", f"{where}: {trouble}", lost, mend)


def version(where: str, facts: BrokerFacts, kind: str | None) -> Finding:
    said = facts.version or (f"{kind}" if kind else "its version is not shown to us")
    numbers = re.search(r"mosquitto version (\d+)\.(\d+)", facts.version or "")
    if numbers and int(numbers[1]) < 2:
        return risky(
            "broker", f"{said} at {where}", "what its faults, mended in 2.0, take", "upgrade to mosquitto 2.0 or newer"
        )
    return fine("broker", f"{said} at {where}, MQTT 5")


def grants(settings: Settings, facts: BrokerFacts) -> Finding:
    """What CONNACK says; what it does not say is the standard's default, the most."""
    granted, check = facts.granted, "broker.grants"
    if int(granted.get("MaximumQoS", 2)) < 1:
        return broken(check, "takes QoS 0 only", "any message, at any moment", "take a broker with QoS 1")
    if int(granted.get("RetainAvailable", 1)) == 0:
        return broken(
            check,
            "keeps no retained messages, so it refuses our services' will",
            "nothing; no service can connect",
            "switch retained messages on (mosquitto: retain_available true)",
        )
    if settings.mqtt.shared_group and int(granted.get("SharedSubscriptionAvailable", 1)) == 0:
        return broken(
            check,
            f"has no shared subscriptions, and ZELADOR_MQTT__SHARED_GROUP is {settings.mqtt.shared_group}",
            "nothing; no ingester can subscribe",
            "unset ZELADOR_MQTT__SHARED_GROUP, and run one ingester",
        )
    expiry = int(granted.get("SessionExpiryInterval", facts.asked_expiry_s))
    if expiry < facts.asked_expiry_s:
        return risky(
            check,
            f"keeps a session for {expiry} s only; {facts.asked_expiry_s} were asked for",
            f"all that waits there, when the ingester is away for more than {expiry} s",
            "raise the broker's limit of a session's life, or ask for less: ZELADOR_MQTT__SESSION_EXPIRY_S",
        )
    packet = granted.get("MaximumPacketSize")
    if packet is not None and int(packet) < settings.ingest.max_payload_bytes:
        return risky(
            check,
            f"takes packets of at most {int(packet):,} bytes",
            f"messages between that and the {settings.ingest.max_payload_bytes:,} bytes that we would take: the device "
            "is cut off, and may send for ever",
            "mosquitto.conf: max_packet_size 16777216",
        )
    window = int(granted.get("ReceiveMaximum", 65_535))
    slow = ": slow at a high rate, max_inflight_messages 1000 mends it" if window < SLOW_WINDOW else ""
    size = f"{int(packet):,} bytes" if packet is not None else "any size"
    return fine(check, f"sessions of {expiry} s, QoS 1, retained, packets of {size}, {window:,} on their way{slow}")


def permissions(settings: Settings, facts: BrokerFacts) -> Finding:
    check = "topics.access"
    if facts.cannot_subscribe or facts.cannot_publish:
        denied = [f"read {topic} ({why})" for topic, why in facts.cannot_subscribe.items()]
        denied += [f"write {topic} ({why})" for topic, why in facts.cannot_publish.items()]
        lines = [f"topic read {settings.topics.reading.replace('{device_id}', '+')}"] * bool(facts.cannot_subscribe)
        lines += [f"topic write {topic}" for topic in _written(settings)] * bool(facts.cannot_publish)
        return broken(
            check,
            f"our user may not {', '.join(denied)}",
            "nothing that was acknowledged: readings do not come in, or wait unanswered",
            f"in the broker's access list, for our user: {' · '.join(lines)}",
        )
    if not facts.published_tried:
        return fine(check, "the subscription to readings is granted; publishing was not tried (--no-probe)")
    return fine(check, "the subscription to readings, and publishing of predictions and status, are granted")


def _written(settings: Settings) -> list[str]:
    given = settings.topics
    return [given.prediction.replace("{device_id}", "+"), given.status.format(service="+", instance="+")]
