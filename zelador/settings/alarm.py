"""Alarms of devices."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator
from pydantic_settings import NoDecode

from zelador.alarms.rule import MAX_WINDOW
from zelador.settings.section import Section, names

Probability = Annotated[float, Field(gt=0.0, le=1.0)]


class AlarmRuleSettings(Section):
    """When an alarm turns on and off."""

    on_count: PositiveInt | None = Field(
        default=None,
        description="How many readings of the window must be of an alarm class, with a probability of at least HIGH, "
        "to start an alarm. None: as computed when the selected model was trained, else 3.",
    )
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)] | None = Field(
        default=None, description="How many of a device's newest readings count. None: from training, else 5."
    )
    off_count: PositiveInt | None = Field(
        default=None,
        description="How many readings of the window must be below LOW to end an alarm. None: from training, else 4.",
    )
    off_s: NonNegativeFloat | None = Field(
        default=None,
        description="How long OFF_COUNT readings must stay below LOW without a break. None: from training, else 60.",
    )
    hold_s: NonNegativeFloat | None = Field(
        default=None,
        description="Two alarms of a device begin at least this many seconds apart. A device that would be in alarm "
        "again earlier is suspect (chattering) until then. None: 3600.",
    )
    high: Probability | None = Field(
        default=None,
        description="A reading counts toward an alarm if the probability of the alarm classes is at least this. None: "
        "from training, else 0.7.",
    )
    low: Probability | None = Field(
        default=None,
        description="A reading counts toward the end of an alarm if the probability of the alarm classes is below "
        "this. None: from training, else 0.4.",
    )


class AlarmSettings(AlarmRuleSettings):
    """When a device is in alarm, and when it is silent."""

    enabled: bool = Field(default=True, description="Follow the state of each device and publish it.")
    classes: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None,
        description=(
            "The labels that are alarms, separated by commas. None: if the selected model has two classes, the one "
            "that was rarer in training; if it has more, no label."
        ),
    )
    devices: dict[str, AlarmRuleSettings] = Field(
        default_factory=dict,
        description="Different values for devices by pattern (press-*); the first pattern that matches counts.",
    )
    silent_s: PositiveFloat | None = Field(
        default=None,
        description="Time without a reading after which a device is silent. None: 5 times the 99th percentile of its "
        "own gaps, at least 60 s.",
    )
    webhook_url: str | None = Field(
        default=None,
        description="URL that gets a POST when a device goes into alarm, becomes unknown, or recovers.",
    )
    webhook_secret: str | None = Field(
        default=None,
        description="Secret that signs the webhook's requests (HMAC-SHA256, header X-Zelador-Signature). Never logged.",
    )
    webhook_timeout_s: PositiveFloat = Field(default=10.0, description="Time limit of one request.")
    webhook_keep_s: PositiveFloat = Field(
        default=86_400.0, description="How long to keep trying to send an alarm before it is given up."
    )
    sweep_s: PositiveFloat = Field(default=1.0, description="How often to check for silent devices.")

    @field_validator("classes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)

    @field_validator("webhook_url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError("must look like https://host/path")
        return url

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


class HomeAssistantSettings(Section):
    discovery: bool = Field(
        default=False, description="Publish each device to Home Assistant's MQTT discovery, retained."
    )
    prefix: str = Field(default="homeassistant", description="Home Assistant's discovery prefix.")
    expire_after_s: PositiveInt = Field(
        default=3_600, description="Time without a reading after which a value is unavailable in Home Assistant."
    )

    @field_validator("prefix")
    @classmethod
    def _plain(cls, prefix: str) -> str:
        if not prefix or set(prefix) & set("+#\0") or prefix.startswith(("/", "$")) or prefix.endswith("/"):
            raise ValueError("must be a topic without wildcards, and without / at its ends")
        return prefix
