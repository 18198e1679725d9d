"""The admin server."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
)
from pydantic_settings import (
    NoDecode,
)

from zelador.settings.section import Section, names


class ApiSettings(Section):
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8000, description="Port to listen on. 0: any free port."
    )
    keys_file: Path = Field(
        default=Path(".zelador/keys.json"),
        description="File with the SHA-256 of each API key. Keys themselves are never stored.",
    )
    max_body_bytes: PositiveInt = Field(default=1_048_576, description="A larger request body is refused.")
    max_upload_bytes: PositiveInt = Field(
        default=268_435_456,
        description="A larger model is refused (POST /v1/models), packed or unpacked.",
    )
    uploads_at_once: PositiveInt = Field(
        default=2, description="Uploads processed at once. Each is held in memory, packed and unpacked."
    )
    classify_timeout_s: PositiveFloat = Field(
        default=10.0,
        description=(
            "Limit of one request to /v1/classify. At the limit the model's process is killed, and the answer is 503."
        ),
    )
    classifications_at_once: PositiveInt = Field(
        default=4,
        description="Requests to /v1/classify that run or wait. Further requests get 503.",
    )
    audit_file: Path | None = Field(
        default=None,
        description="Audit log: each change as one line of JSON. None: audit.jsonl beside the keys.",
    )
    audit_bytes: PositiveInt = Field(
        default=67_108_864,
        description="Size of one audit file. A full file is renamed by its time.",
    )
    audit_keep_s: PositiveInt = Field(
        default=400 * 86_400,
        description="Age at which a renamed audit file is removed; never before.",
    )
    audit_total_bytes: PositiveInt = Field(
        default=1_073_741_824,
        description=(
            "Size of all audit files. A warning starts at 80 %. At the limit, operators can change "
            "nothing until files are moved away."
        ),
    )
    rate_per_s: PositiveFloat = Field(
        default=100.0,
        description="Requests per second that one key may make on average.",
    )
    rate_burst: PositiveInt = Field(default=200, description="Requests that one key may make in a burst.")
    changes_per_s: PositiveFloat = Field(
        default=5.0,
        description="Changes per second that one key may make on average. Each 4 KiB of a change counts as one more.",
    )
    changes_burst: PositiveInt = Field(default=50, description="Changes that one key may make in a burst.")
    connections: Annotated[int, Field(ge=16)] = Field(
        default=512,
        description="Open connections. One address may have at most half of them.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses and networks whose X-Forwarded-For is trusted, separated by commas. Empty: none.",
    )
    failure_delay_s: NonNegativeFloat = Field(
        default=5.0,
        description="Longest delay of the answer to a wrong key. The delay grows with each attempt.",
    )
    keep_answers_s: PositiveInt = Field(default=86_400, description="How long an Idempotency-Key is remembered.")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"must be addresses and networks, such as 10.0.0.7,fd00::/8 ({error})") from None
        return proxies

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(map(ip_network, self.trusted_proxies))
