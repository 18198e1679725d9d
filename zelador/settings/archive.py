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
        description="Whether readings are archived. Switched off, the archive's consumer group is removed at the next "
        "start of the archiver or the ingester; files that were written stay.",
    )
    url: str = Field(
        default=".zelador/archive",
        description="A folder, or a bucket: s3://bucket/prefix, gs://…, az://account/container/….",
    )
    bucket: BucketOptions = Field(default=(), description="Options of the bucket, as in ZELADOR_REGISTRY__BUCKET.")
    timeout_s: PositiveFloat = Field(default=30.0, description="Limit of one request to a bucket.")
    write_s: PositiveFloat = Field(
        default=30.0,
        description="Readings that have waited this long are written, even if they are few.",
    )
    batch_readings: PositiveInt = Field(
        default=50_000,
        description="Readings of one file at most, before files are merged. They are in memory until it is written.",
    )
    batch_bytes: PositiveInt = Field(
        default=33_554_432, description="Bytes of these readings, as JSON. The limit that is reached first counts."
    )
    hold_bytes: PositiveInt = Field(
        default=268_435_456,
        description="Bytes of readings that Redis keeps for the archive, as JSON, above ZELADOR_REDIS__KEEP_BYTES and "
        "KEEP_READINGS, while it cannot write. Beyond this they are trimmed, and counted as archive_missed.",
    )
    keep_s: PositiveFloat | None = Field(
        default=None,
        description="Age at which files are removed, as a whole: when their newest reading was received so long ago. "
        "None: never.",
    )
    grace_s: PositiveFloat = Field(
        default=86_400.0,
        description="How long merged and abandoned files are kept. Longer than any copy or any reading of it takes.",
    )
