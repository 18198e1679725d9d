"""Checks the broker: its limits, its permissions, and what it dropped. Pure."""

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
SLOW_WINDOW = 100  # unacknowledged messages; with fewer, predictions wait for one another


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What is known about the broker. `cannot_subscribe` and `cannot_publish` map forbidden topics to its reason."""

    trouble: str | None = None  # why there was no session
    granted: dict[str, Any] = field(default_factory=dict)
    asked_expiry_s: int = 0
    version: str | None = None
    dropped: int | None = None
    hangs_up_on_sys: bool = False  # closes the connection of a client that subscribes to $SYS, like rumqttd (iotcore)
    cannot_subscribe: dict[str, str] = field(default_factory=dict)
    cannot_publish: dict[str, str] = field(default_factory=dict)
    publish_tested: bool = True
    probe: Probe | None = None


def judge(settings: Settings, facts: BrokerFacts, kind: str | None = None) -> Iterator[Finding]:
    """Yields the findings about the broker. `kind` is the name of the embedded broker, if known."""
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
            "acknowledged readings, when a member of the group dies (in tests 5 of 1,500, and the broker crashed)",
            "unset ZELADOR_MQTT__SHARED_GROUP, or use Mosquitto 2",
        )
    elif settings.mqtt.shared_group:
        yield risky(
            "broker.shared",
            f"shared group {settings.mqtt.shared_group}: the messages of an offline member wait until it returns",
            "those messages, if the member's session expires; and when Mosquitto 2.0 restarts, which loses the group, "
            "messages that arrive before an ingester is back",
            "run one ingester, unless it is too slow (about 30,000 readings/s); see docs/reliability.md",
        )
    if facts.dropped:
        yield risky(
            "broker.dropped",
            f"dropped {facts.dropped:,} messages since it started",
            "those messages, although their senders got an acknowledgment: a queue was full (messages dropped in this "
            "command's test of the queue count too)",
            "apply the fix of broker.queue; a restart of the broker resets the count",
        )
    elif facts.dropped == 0:
        yield fine("broker.dropped", "dropped no messages since it started")
    elif not facts.hangs_up_on_sys:
        yield fine("broker.dropped", "the number of dropped messages is not available ($SYS/broker/#)")


def unreachable(where: str, trouble: str) -> Finding:
    if "; " in trouble or trouble.startswith("ZELADOR_"):  # it names its own fix
        what, _, fix = trouble.rpartition("; ")
        trouble, fix = (what, fix) if what else (trouble, "name a file that can be read")
    elif "version" in trouble.lower():
        fix = "enable MQTT 5 on the broker (Mosquitto 2: accept_protocol_versions has to include 5)"
    elif "refused the connection" in trouble:
        fix = "set ZELADOR_MQTT__USERNAME and ZELADOR_MQTT__PASSWORD, or grant that user access (acl_file)"
    else:
        fix = "start it (zelador up, or systemctl start mosquitto), or set ZELADOR_MQTT__URL"
    lost = "nothing that was acknowledged; no readings arrive and no predictions are published"
    return broken("broker", f"{where}: {trouble}", lost, fix)


def version(where: str, facts: BrokerFacts, kind: str | None) -> Finding:
    name = facts.version or kind or "broker of an unknown version"
    numbers = re.search(r"mosquitto version (\d+)\.(\d+)", facts.version or "")
    if numbers and int(numbers[1]) < 2:
        return risky(
            "broker",
            f"{name} at {where}",
            "messages affected by bugs that 2.0 fixed",
            "upgrade to mosquitto 2.0 or newer",
        )
    return fine("broker", f"{name} at {where}, MQTT 5")


def grants(settings: Settings, facts: BrokerFacts) -> Finding:
    """Checks the limits in CONNACK. An absent limit has the default of the MQTT standard, which is the maximum."""
    granted, check = facts.granted, "broker.grants"
    if int(granted.get("MaximumQoS", 2)) < 1:
        return broken(check, "supports QoS 0 only", "any message, at any time", "use a broker with QoS 1")
    if int(granted.get("RetainAvailable", 1)) == 0:
        return broken(
            check,
            "does not support retained messages, so it refuses the services' will",
            "nothing; no service can connect",
            "enable retained messages (mosquitto: retain_available true)",
        )
    if settings.mqtt.shared_group and int(granted.get("SharedSubscriptionAvailable", 1)) == 0:
        return broken(
            check,
            f"does not support shared subscriptions, and ZELADOR_MQTT__SHARED_GROUP is {settings.mqtt.shared_group}",
            "nothing; no ingester can subscribe",
            "unset ZELADOR_MQTT__SHARED_GROUP and run one ingester",
        )
    expiry = int(granted.get("SessionExpiryInterval", facts.asked_expiry_s))
    if expiry < facts.asked_expiry_s:
        return risky(
            check,
            f"keeps a session for only {expiry} s instead of {facts.asked_expiry_s}",
            f"all messages queued there, if the ingester is away for more than {expiry} s",
            "raise the broker's limit on session expiry, or lower ZELADOR_MQTT__SESSION_EXPIRY_S",
        )
    packet = granted.get("MaximumPacketSize")
    if packet is not None and int(packet) < settings.ingest.max_payload_bytes:
        return risky(
            check,
            f"accepts packets of at most {int(packet):,} bytes",
            f"messages between that and the {settings.ingest.max_payload_bytes:,} bytes that the ingester accepts: the "
            "broker disconnects the device, which may resend without end",
            "mosquitto.conf: max_packet_size 16777216",
        )
    window = int(granted.get("ReceiveMaximum", 65_535))
    slow = ": slow at a high rate, max_inflight_messages 1000 fixes it" if window < SLOW_WINDOW else ""
    size = f"{int(packet):,} bytes" if packet is not None else "any size"
    return fine(check, f"sessions of {expiry} s, QoS 1, retained, packets of {size}, {window:,} in flight{slow}")


def permissions(settings: Settings, facts: BrokerFacts) -> Finding:
    check = "topics.access"
    if facts.cannot_subscribe or facts.cannot_publish:
        denied = [f"read {topic} ({why})" for topic, why in facts.cannot_subscribe.items()]
        denied += [f"write {topic} ({why})" for topic, why in facts.cannot_publish.items()]
        lines = [f"topic read {topic}" for topic in facts.cannot_subscribe]
        lines += [f"topic write {topic}" for topic in _published_topics(settings)] * bool(facts.cannot_publish)
        return broken(
            check,
            f"the user of Zelador may not {', '.join(denied)}",
            "nothing that was acknowledged: readings do not arrive, or wait unclassified",
            f"in the broker's ACL file, for this user: {' · '.join(lines)}",
        )
    if not facts.publish_tested:
        return fine(check, "may subscribe to readings; publishing was not tested (--no-probe)")
    return fine(check, "may subscribe to readings, and publish predictions and status")


def _published_topics(settings: Settings) -> list[str]:
    given = settings.topics
    return [given.prediction.replace("{device_id}", "+"), given.status.format(service="+", instance="+")]
