"""Redis, and the limits of what it stores."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

from zelador.settings.section import Section, usable


class RedisSettings(Section):
    url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis: redis://[user:password@]host[:port]/db, rediss:// for TLS, or unix://.",
    )
    ca_file: Path | None = Field(default=None, description="CA certificates for rediss://. None: the system's.")
    prefix: str = Field(default="zelador", description="All keys are {prefix}:…, in one slot of a cluster.")
    timeout_s: PositiveFloat = Field(default=5.0, description="Limit of one call. Retries use a back-off around it.")
    start_patience_s: PositiveFloat = Field(
        default=10.0,
        description="How long a service tries to reach Redis at startup before it exits.",
    )
    durability: Literal["written", "synced"] = Field(
        default="written",
        description=(
            "When a reading counts as stored, and may be acknowledged. written: it is in Redis's "
            "append-only file; killing Redis loses nothing, a power cut up to 2 s. synced: it is on the "
            "disk, which needs appendfsync always and is slower."
        ),
    )
    repeat_window: PositiveInt = Field(
        default=200_000,
        description="Readings that are remembered, to recognize repeats.",
    )
    keep_readings: PositiveInt = Field(
        default=200_000,
        description="Finished readings kept for training. Waiting readings are never trimmed.",
    )
    keep_bytes: PositiveInt = Field(
        default=268_435_456,
        description="Bytes of finished readings kept, as JSON. Trimming starts at whichever limit is reached first.",
    )
    pack: PositiveInt = Field(
        default=50,
        description=(
            "Readings that arrive together and share an entry of the stream. A worker takes an entry as a whole."
        ),
    )
    keep_predictions: PositiveInt = Field(default=5_000, description="Newest predictions kept for people to look at.")
    keep_quarantine: PositiveInt = Field(
        default=10_000,
        description="Messages kept in quarantine. Beyond this, the device with the most loses its oldest.",
    )
    keep_quarantine_bytes: PositiveInt = Field(
        default=67_108_864,
        description="Bytes of messages kept in quarantine: topic, reason and payload.",
    )
    keep_quarantine_s: PositiveInt = Field(
        default=30 * 86_400,
        description=(
            "Age at which quarantined messages are discarded. Discards are counted; a warning starts at 80 %."
        ),
    )
    keep_devices_s: PositiveInt = Field(
        default=30 * 86_400,
        description="Silence after which a device is forgotten.",
    )
    keep_devices: PositiveInt = Field(
        default=100_000,
        description=(
            "Devices that are remembered, at up to 4.3 KB each. Beyond this, those silent longest are "
            "forgotten, counted and logged."
        ),
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if not usable(url, ("redis", "rediss", "unix")):
            raise ValueError("must look like redis://host:6379/0, rediss://host:6379/0 or unix:///path")
        return url
