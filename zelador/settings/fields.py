"""How a feature is read from a device's message."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from zelador.settings.section import Section


class FieldSettings(Section):
    """How one feature is read from a device's message: value = message[from] * scale."""

    source: str | None = Field(
        default=None,
        alias="from",
        description="Key in the message. None: the feature's name.",
    )
    scale: float = Field(default=1.0, description="Multiplies the value: 1000 for a device that sends kilolux.")
    unit: str = Field(default="", description="Shown to people; converts nothing.")
    minimum: float | None = Field(
        default=None,
        description="Smallest physical value, after scaling. A reading below it is quarantined.",
    )
    maximum: float | None = Field(
        default=None, description="Largest physical value, after scaling. A reading above it is quarantined."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> FieldSettings:
        """Otherwise every reading would be quarantined, or every value would be 0."""
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is larger than maximum {self.maximum:g}; correct one of them")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value 0; use 1 for values that need no conversion")
        return self


# The physical range rejects a broken sensor, not an alarm, so it is wider than anything that a machine may do.
KNOWN_FIELDS: dict[str, dict[str, Any]] = {
    "lux": {"unit": "lx", "minimum": 0.0, "maximum": 200_000.0},
    "temperature": {"unit": "°C", "minimum": -100.0, "maximum": 1_000.0},
    "vibration": {"unit": "g", "minimum": 0.0, "maximum": 1_000.0},
    "humidity": {"unit": "%", "minimum": 0.0, "maximum": 100.0},
}


RESERVED = ("ts", "seq", "id", "label")  # what a message says beside its values
