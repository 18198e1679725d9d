"""MQTT birth and will messages: a service's retained status (`zelador/status/{service}/{instance}`)."""

from __future__ import annotations

import msgspec

from zelador.link import LinkOptions, Outgoing
from zelador.settings import TopicSettings


def status_message(topics: TopicSettings, service: str, instance: str, online: bool) -> Outgoing:
    topic = topics.status.format(service=service, instance=instance)
    return Outgoing(topic, msgspec.json.encode({"state": "online" if online else "offline"}), retain=True)


def link_options(
    topics: TopicSettings,
    service: str,
    instance: str,
    filters: tuple[str, ...] = (),
    persistent: bool = False,
    quiet_s: float = 0.0,
    optional: tuple[str, ...] = (),
) -> LinkOptions:
    """The MQTT options of a service. `instance` is also the client id; it is stable, so the broker keeps its queue."""
    return LinkOptions(
        client_id=instance,
        filters=filters,
        optional=optional,
        persistent=persistent,
        birth=status_message(topics, service, instance, online=True),
        will=status_message(topics, service, instance, online=False),
        quiet_s=quiet_s,
    )
