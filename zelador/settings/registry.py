"""The registry, here or behind another machine's API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    PositiveFloat,
    field_validator,
)
from pydantic_settings import (
    NoDecode,
)

from zelador.settings.bucket import BucketOptions
from zelador.settings.section import Section, names


class RegistrySettings(Section):
    url: str = Field(
        default=".zelador/registry",
        description="A folder, or a bucket: s3://bucket/prefix, gs://…, az://account/container/….",
    )
    bucket: BucketOptions = Field(
        default=(),
        description=(
            "Options that the URL does not give, as name=value, separated by commas "
            "(region=…,endpoint=https://…). Otherwise the AWS_…, GOOGLE_… and AZURE_… variables and the "
            "machine's identity are used."
        ),
    )
    timeout_s: PositiveFloat = Field(
        default=30.0,
        description="Limit of one request to a bucket, including the transfer of a large model.",
    )
    signing_key: Annotated[tuple[str, ...], NoDecode, Field(repr=False)] = Field(
        default=(),
        description=(
            "Signing keys, separated by commas: [id:]hex, each of 64 or more hex digits (openssl rand "
            "-hex 32). The first signs what is written; all verify; anything that they did not sign is refused. "
            "None: digests only. To rotate, put the new key first."
        ),
    )
    check_s: PositiveFloat = Field(
        default=30.0,
        description="How often services check whether the registry was restored or replaced.",
    )
    grace_s: PositiveFloat = Field(
        default=86_400.0,
        description=(
            "Age at which abandoned uploads and the files of deleted models are removed. Longer than any copy takes."
        ),
    )
    keep_runs_s: PositiveFloat = Field(
        default=90 * 86_400.0,
        description="How long a training run and its unregistered candidates are kept.",
    )

    @field_validator("signing_key", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)


class RemoteSettings(Section):
    """The registry of another machine, for `zelador models` and `zelador classify`."""

    url: str | None = Field(
        default=None,
        description="Admin API of another machine, as with --url. None: the registry at ZELADOR_REGISTRY__URL.",
    )
    key: Annotated[str | None, Field(repr=False)] = Field(default=None, description="A key of that API, as with --key.")
    ca_file: Path | None = Field(
        default=None,
        description="CA certificates for an https address of that API, or of --url. None: the system's.",
    )
