"""The ingester and the inference workers."""

from __future__ import annotations

import socket
from typing import Annotated

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from zelador.settings.section import Section

MAX_SPAN_S = 200 * 365 * 86_400.0  # so that every accepted time has a year of four digits


class IngestSettings(Section):
    client_id: str = Field(
        default="zelador-ingest", description="MQTT client id. Keep it stable: the broker's queue belongs to it."
    )
    batch: PositiveInt = Field(default=500, description="Messages stored in one round trip.")
    max_payload_bytes: PositiveInt = Field(default=1_048_576, description="A larger message is quarantined.")
    max_array: PositiveInt = Field(default=10_000, description="Readings in one message of a gateway.")
    max_ahead_s: PositiveFloat = Field(
        default=86_400.0,
        le=MAX_SPAN_S,
        description="A reading whose time is further ahead of our clock than this is refused. At most 200 years.",
    )
    max_behind_s: PositiveFloat = Field(
        default=365 * 86_400.0,
        le=MAX_SPAN_S,
        description=(
            "A reading whose time is further behind its receipt than this is refused: the device's clock is not set, "
            "or it sends the time since its start. Raise this, to at most 200 years, to publish old readings."
        ),
    )
    unique_ids: bool = Field(
        default=False,
        description=(
            "true: a device uses each id once. A reading with the id of an earlier one, but another time or other "
            "values, is quarantined. false: it is another reading."
        ),
    )
    labels: bool = Field(
        default=True,
        description=(
            "Devices may label periods of their own readings on ZELADOR_TOPICS__LABEL. false: the ingester does not "
            "subscribe to it."
        ),
    )
    drain_s: NonNegativeFloat = Field(
        default=0.0,
        description="After SIGTERM, how long to keep taking messages from the broker. For the embedded broker only.",
    )
    high_water: PositiveInt = Field(
        default=200_000,
        description="Waiting readings above which nothing is taken from the broker.",
    )
    high_water_bytes: PositiveInt = Field(
        default=268_435_456,
        description=(
            "Bytes of waiting readings and their requests above which nothing is taken. Must be reached "
            "before Redis's maxmemory."
        ),
    )


class InferenceSettings(Section):
    instance: str = Field(
        default="inference-1",
        description=(
            "The worker's name in the consumer group; stable and unique. {hostname} is replaced by the "
            "host's or container's name."
        ),
    )
    batch: PositiveInt = Field(
        default=512,
        description="Readings classified at once, approximately: an entry of the stream is never divided.",
    )
    takeover_after_s: PositiveFloat = Field(
        default=15.0,
        description="Time after which entries that another worker has not settled are taken over.",
    )
    deliveries: Annotated[int, Field(ge=3)] = Field(
        default=5,
        description="Deliveries after which an unsettled entry is set aside, because it crashes workers.",
    )
    model_timeout_s: PositiveFloat = Field(
        default=60.0,
        description=(
            "Time after which a model that has not answered is stuck: the worker exits, and its supervisor restarts it."
        ),
    )
    late_after_s: PositiveFloat = Field(
        default=900.0,
        description='A reading classified later than this after its receipt has "late": true in its prediction.',
    )
    quiet_s: NonNegativeFloat = Field(
        default=0.0,
        description=(
            "After each connection, how long to publish nothing. Subscribers of a broker that forgets "
            "sessions (the embedded one) need this time to reconnect. Readings wait meanwhile."
        ),
    )
    select_poll_s: PositiveFloat = Field(
        default=1.0, description="How often the registry's log is checked for a new selection."
    )

    @field_validator("instance")
    @classmethod
    def _named_by_host(cls, instance: str) -> str:
        return instance.replace("{hostname}", socket.gethostname())
