"""Alarms of devices."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator
from pydantic_settings import NoDecode

from zelador.alarms.rule import MAX_WINDOW
from zelador.settings.section import Section, names

Probability = Annotated[float, Field(gt=0.0, le=1.0)]


class AlarmRuleSettings(Section):
    """When an alarm turns on and off."""

    on_count: PositiveInt | None = Field(
        default=None,
        description="Readings of the window that must be an alarm class, with a probability of at least HIGH, for an "
        "alarm. None: as computed when the selected model was trained, else 3.",
    )
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)] | None = Field(
        default=None, description="The newest readings of a device that count. None: as at training, else 5."
    )
    off_count: PositiveInt | None = Field(
        default=None,
        description="Readings of the window that must be below LOW for an alarm to end. None: as at training, else 4.",
    )
    off_s: NonNegativeFloat | None = Field(
        default=None, description="Seconds for which that must be so, without a break. None: as at training, else 60."
    )
    high: Probability | None = Field(
        default=None,
        description="Probability of the alarm classes from which a reading counts for an alarm. None: as at training, "
        "else 0.7.",
    )
    low: Probability | None = Field(
        default=None,
        description="Probability of the alarm classes below which a reading counts for its end. None: as at training, "
        "else 0.4.",
    )


class AlarmSettings(AlarmRuleSettings):
    """When a device is in alarm, and when it is silent."""

    enabled: bool = Field(default=True, description="Follow the state of each device and publish it.")
    classes: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None,
        description=(
            "The labels that are alarms, separated by commas. None: of two classes the rarer one of the selected "
            "model's training; of more, none."
        ),
    )
    devices: dict[str, AlarmRuleSettings] = Field(
        default_factory=dict,
        description="Other values for devices by pattern (press-*); the first pattern that matches counts.",
    )
    silent_s: PositiveFloat | None = Field(
        default=None,
        description="A device is silent after so long without a reading. None: 5 times the 99th percentile of its own "
        "gaps, at least 60 s.",
    )
    sweep_s: PositiveFloat = Field(default=1.0, description="How often it is checked which devices are silent.")

    @field_validator("classes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        rules: list[tuple[str, AlarmRuleSettings]] = [("", self)]
        rules += [(f" of {pattern}", one) for pattern, one in self.devices.items()]
        for where, each in rules:
            if each.high is not None and each.low is not None and each.low > each.high:
                raise ValueError(f"low{where} ({each.low}) must not be above high ({each.high})")
            window = each.window or self.window
            for name in ("on_count", "off_count"):
                if window is not None and (count := getattr(each, name)) is not None and count > window:
                    raise ValueError(f"{name}{where} ({count}) must not be above the window ({window} readings)")
        return self
