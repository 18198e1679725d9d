"""Settings of every process (logs, health, metrics), and the servers that `zelador up` starts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    PositiveFloat,
)

from zelador.settings.section import Section


class EmbeddedSettings(Section):
    """Which servers `zelador up` and `zelador demo` start."""

    broker: Literal["auto", "mosquitto", "iotcore"] = Field(
        default="auto",
        description=("auto: a mosquitto 2 on the PATH, which keeps its queue on disk; otherwise the wheel's iotcore."),
    )
    redis: Literal["auto", "redis-server", "valkey"] = Field(
        default="auto",
        description="auto: a redis-server 7 on the PATH; otherwise the wheel's Valkey.",
    )


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="debug, info, warning or error.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="auto: console on a terminal, otherwise json.",
    )


class HealthSettings(Section):
    stalled_after_s: PositiveFloat = Field(
        default=30.0,
        description="Time without a finished reading, while readings wait, after which a service is not ready.",
    )


class MetricsSettings(Section):
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65_535)] | None = Field(
        default=None,
        description="Port of a worker's /metrics, /healthz and /readyz. None: not served. zelador up ignores it.",
    )
