"""The archive: readings and predictions as Parquet files."""

from __future__ import annotations

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
)

from zelador.settings.bucket import BucketOptions
from zelador.settings.section import Section


class ArchiveSettings(Section):
    """Readings and predictions, kept as Parquet files beyond what Redis keeps."""

    enabled: bool = Field(
        default=True,
        description="Whether readings are archived. When this is switched off, the archive's consumer group is removed "
        "at the next start of the archiver or the ingester; its files stay.",
    )
    url: str = Field(
        default=".zelador/archive",
        description="A folder, or a bucket: s3://bucket/prefix, gs://…, az://account/container/….",
    )
    bucket: BucketOptions = Field(default=(), description="Options of the bucket, as in ZELADOR_REGISTRY__BUCKET.")
    timeout_s: PositiveFloat = Field(default=30.0, description="Limit of one request to a bucket.")
    write_s: PositiveFloat = Field(
        default=30.0,
        description="Longest time that a reading waits before it is written to a file.",
    )
    batch_readings: PositiveInt = Field(
        default=50_000,
        description="Most readings in one file before it is merged. They stay in memory until it is written.",
    )
    batch_bytes: PositiveInt = Field(
        default=33_554_432,
        description="Most bytes of readings in one file, as JSON. The limit that is reached first counts.",
    )
    hold_bytes: PositiveInt = Field(
        default=268_435_456,
        description="Bytes of readings, as JSON, that Redis keeps beyond ZELADOR_REDIS__KEEP_BYTES and KEEP_READINGS "
        "while the archive cannot write. Above this they are trimmed, and counted as archive_missed.",
    )
    keep_s: PositiveFloat | None = Field(
        default=None,
        description="Age at which a file is removed, counted from the time when its newest reading was received. None: "
        "never.",
    )
    grace_s: PositiveFloat = Field(
        default=86_400.0,
        description="How long merged and abandoned files are kept. Must be longer than any backup or query takes.",
    )
