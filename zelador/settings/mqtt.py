"""The broker, and the topics on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    NoDecode,
)

from zelador.settings.profiles import check_topic
from zelador.settings.section import Section, names, usable


class MqttSettings(Section):
    url: str = Field(
        default="mqtt://127.0.0.1:1883",
        description="Broker: mqtt://[user:password@]host[:port], or mqtts:// for TLS.",
    )
    device_url: str | None = Field(
        default=None,
        description=(
            "Address at which devices reach the broker, as model cards show it (mqtt://[user@]host[:port]). None: url."
        ),
    )
    username: str | None = Field(default=None, description="User name, instead of user:password@ in the URL.")
    password: str | None = Field(default=None, description="Password of that user. Never logged.")
    ca_file: Path | None = Field(default=None, description="CA certificates. None: the system's.")
    certificate_file: Path | None = Field(default=None, description="Client certificate, for mutual TLS.")
    key_file: Path | None = Field(default=None, description="Private key of the client certificate.")
    broker_config_file: Path | None = Field(
        default=None,
        description="Mosquitto's configuration file, which tells zelador doctor the broker's queue and persistence.",
    )
    keepalive_s: PositiveInt = Field(
        default=30,
        description="Seconds without traffic after which the connection is tested by a ping.",
    )
    connect_timeout_s: PositiveFloat = Field(
        default=5.0,
        description="Limit of one attempt to connect, including the broker's answer.",
    )
    start_patience_s: PositiveFloat = Field(
        default=10.0,
        description="How long a service tries to reach the broker at startup before it exits.",
    )
    session_expiry_s: PositiveInt = Field(
        default=7 * 86_400,
        description="How long the broker queues messages for an ingester that is disconnected.",
    )
    receive_maximum: Annotated[int, Field(ge=1, le=65_535)] = Field(
        default=1_000,
        description="Messages received and not yet stored.",
    )
    held_bytes: PositiveInt = Field(
        default=67_108_864,
        description="Bytes of messages received and not yet stored. While Redis is away, the ingester reads no more.",
    )
    packet_bytes: Annotated[int, Field(ge=1_024, le=268_435_455)] = Field(
        default=1_048_576,
        description=(
            "Largest message with predictions, unless the broker announces a lower Maximum Packet Size. A "
            "larger answer to an array is sent in parts; a larger single prediction is set aside. Brokers "
            "close the connection at a message that is too large for them."
        ),
    )
    lane: bool = Field(
        default=True,
        description=(
            "Process PUBLISH and PUBACK on paho's socket without paho. false: through paho, several times slower."
        ),
    )
    system_topics: bool = Field(
        default=True,
        description="Subscribe to the broker's own counters ($SYS): messages that it dropped, its version.",
    )
    shared_group: str | None = Field(
        default=None,
        description="For several ingesters: subscribe as $share/<group>/…. Never on the embedded broker.",
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if not usable(url, ("mqtt", "mqtts")) or not urlsplit(url).hostname:
            raise ValueError("must look like mqtt://host:1883 or mqtts://host:8883")
        return url


class TopicSettings(Section):
    """Topic templates; {device_id} stands for one level."""

    reading: str = Field(default="sensors/{device_id}/reading", description="Topic on which devices publish.")
    prediction: str = Field(
        default="sensors/{device_id}/prediction", description="Topic on which predictions are published."
    )
    state: str = Field(
        default="sensors/{device_id}/state",
        description="Topic on which the state of each device is published, retained.",
    )
    label: str = Field(
        default="sensors/{device_id}/label",
        description="Topic on which a device labels a period of its own readings (ZELADOR_INGEST__LABELS).",
    )
    status: str = Field(
        default="zelador/status/{service}/{instance}",
        description="Topic of each service's birth and will messages, retained.",
    )
    response_prefixes: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None,
        description=(
            "Allowed beginnings of MQTT 5 response topics, separated by commas; {device_id} is the "
            "sender. Requests with other response topics are not answered: through Zelador, a device could "
            "write to topics that it may not write to itself. None: the reading topic up "
            "to the device (sensors/{device_id}/). Empty: no request is answered."
        ),
    )

    @property
    def answered_prefixes(self) -> tuple[str, ...]:
        """How a response topic may begin."""
        if self.response_prefixes is not None:
            return self.response_prefixes
        return (self.reading.partition("{device_id}")[0] + "{device_id}/",)

    @model_validator(mode="after")
    def _label_alone(self) -> TopicSettings:
        """Refuses a label topic that can match another topic: one message cannot be two things."""
        if "label" not in self.model_fields_set:
            return self
        for name in ("reading", "prediction", "state"):
            if getattr(self, name) == self.label:
                raise ValueError(f"label and {name} must be different topics")
        return self

    @field_validator("response_prefixes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)

    @field_validator("response_prefixes")
    @classmethod
    def _whole_levels(cls, prefixes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for prefix in prefixes or ():
            named = prefix.replace("{device_id}", "")
            if set(named) & set("+#{}\0") or prefix.startswith("$"):
                raise ValueError(f"{prefix!r} must hold no wildcard, no leading $ and no name but {{device_id}}")
            *levels, last = prefix.split("/")
            if "{device_id}" in last or any("{device_id}" in level and level != "{device_id}" for level in levels):
                raise ValueError(f"{prefix!r} must contain {{device_id}} as a whole level, followed by a /")
        return prefixes

    @field_validator("reading", "prediction", "state", "label")
    @classmethod
    def _has_device(cls, template: str) -> str:
        check_topic("the template", template)
        return template
