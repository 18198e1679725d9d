"""All settings, as one tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from zelador.errors import InvalidInput
from zelador.settings.alarm import AlarmSettings, HomeAssistantSettings
from zelador.settings.api import ApiSettings
from zelador.settings.archive import ArchiveSettings
from zelador.settings.datasets import DatasetSettings
from zelador.settings.fields import KNOWN_FIELDS, RESERVED, FieldSettings
from zelador.settings.mqtt import MqttSettings, TopicSettings
from zelador.settings.process import EmbeddedSettings, HealthSettings, LogSettings, MetricsSettings
from zelador.settings.profiles import MAX_PROFILES, ProfileSettings, check_apart, filter_of, names_of, resolved
from zelador.settings.redis import RedisSettings
from zelador.settings.registry import RegistrySettings, RemoteSettings
from zelador.settings.section import names
from zelador.settings.training import TrainingSettings
from zelador.settings.workers import InferenceSettings, IngestSettings
from zelador.units import conversion


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZELADOR_", env_nested_delimiter="__", extra="forbid", frozen=True)

    features: Annotated[tuple[str, ...], NoDecode] = ("lux", "temperature", "vibration")
    fields: dict[str, FieldSettings] = Field(default_factory=dict, validate_default=True)
    profiles: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Device profiles in use, separated by commas: presets (tasmota, esphome, zigbee2mqtt, rtl_433, fiap), "
            "tables [profiles.NAME] of the settings file, and default (ZELADOR_TOPICS__READING with ZELADOR_FIELDS). "
            "Empty: all tables; without tables, default."
        ),
    )
    profile_tables: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="The tables [profiles.NAME] of the settings file, as JSON: see docs/how-to/own-devices.md.",
    )
    plant: str = Field(default="", max_length=80, description="Name of the plant, shown in the console.")
    time_zone: str = Field(
        default="UTC",
        description="Time zone of the plant (IANA, such as America/Sao_Paulo), for times that have none and for "
        "times in the console.",
    )
    mqtt: MqttSettings = MqttSettings()
    redis: RedisSettings = RedisSettings()
    topics: TopicSettings = TopicSettings()
    ingest: IngestSettings = IngestSettings()
    inference: InferenceSettings = InferenceSettings()
    alarm: AlarmSettings = AlarmSettings()
    homeassistant: HomeAssistantSettings = HomeAssistantSettings()
    training: TrainingSettings = TrainingSettings()
    datasets: DatasetSettings = DatasetSettings()
    registry: RegistrySettings = RegistrySettings()
    archive: ArchiveSettings = ArchiveSettings()
    api: ApiSettings = ApiSettings()
    remote: RemoteSettings = RemoteSettings()
    health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    log: LogSettings = LogSettings()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            raise ValueError(f"{zone!r} is not an IANA time zone, such as Europe/Berlin or UTC") from None
        return zone

    @field_validator("features", "profiles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return names(value)

    @model_validator(mode="before")
    @classmethod
    def _known_units(cls, data: Any) -> Any:
        """Completes a field map with the known unit and range of each feature, so that it need not repeat them."""
        if isinstance(data, dict) and isinstance(data.get("fields"), dict):
            given = data["fields"]
            data["fields"] = {
                k: {**KNOWN_FIELDS.get(k, {}), **v} if isinstance(v, dict) else v for k, v in given.items()
            }
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.features or len(set(self.features)) != len(self.features):
            raise ValueError("features: name at least one feature, each once")
        if bad := [f for f in self.features if not f.replace("_", "").isalnum() or len(f) > 64]:
            raise ValueError(f"features: {bad[0]!r} is not a name (letters, digits and _, at most 64)")
        if unknown := sorted(set(self.fields) - set(self.features)):
            raise ValueError(
                f"fields: {unknown[0]!r} is not among the features ({', '.join(self.features)}), which "
                f"ZELADOR_FEATURES names"
            )
        sources = [self.field(feature).source or feature for feature in self.features]
        if taken := [s for s in sources if s in RESERVED or sources.count(s) > 1]:
            raise ValueError(
                f"fields: {taken[0]!r} is read twice or is a name of the message itself ({', '.join(RESERVED)})"
            )
        self._check_profiles()
        return self

    def _check_profiles(self) -> None:
        if len(self.profile_names) > MAX_PROFILES or len(set(self.profile_names)) != len(self.profile_names):
            raise ValueError(f"ZELADOR_PROFILES: at most {MAX_PROFILES} profiles, each once")
        named = self.named_profiles()
        for name, profile in named.items():
            for feature, places in profile.fields.items():
                for place in (each for each in places if each.unit):
                    try:
                        conversion(place.unit or "", self.field(feature).unit)
                    except ValueError as error:
                        raise ValueError(f"profiles.{name}: fields: {feature}: {error}") from None
        check_apart(self.reading_topics, self.own_topics)

    @property
    def profile_names(self) -> tuple[str, ...]:
        """The profiles in use."""
        return names_of(self.profiles, self.profile_tables)

    def named_profiles(self) -> dict[str, ProfileSettings]:
        """The profiles in use, except `default`. Raises ValueError."""
        return resolved(self.profile_names, self.profile_tables, self.features, self.topics.reading)

    @property
    def reading_topics(self) -> dict[str, str]:
        """The topic template of each profile in use."""
        named = self.named_profiles()
        return {name: named[name].topic if name in named else self.topics.reading for name in self.profile_names}

    @property
    def own_topics(self) -> dict[str, str]:
        """The topic templates on which Zelador publishes, by setting."""
        return {
            "ZELADOR_TOPICS__PREDICTION": self.topics.prediction,
            "ZELADOR_TOPICS__STATUS": self.topics.status,
            "ZELADOR_TOPICS__STATE": self.topics.state,
            "ZELADOR_HOMEASSISTANT__PREFIX": f"{self.homeassistant.prefix}/device/{{device_id}}/config",
        }

    @property
    def reading_filters(self) -> tuple[str, ...]:
        """The subscriptions of the ingester."""
        return tuple(filter_of(topic) for topic in self.reading_topics.values())

    def field(self, feature: str) -> FieldSettings:
        """How `feature` is read: by the settings, else by its known unit and range, else by its plain name."""
        return self.fields.get(feature) or FieldSettings(**KNOWN_FIELDS.get(feature, {}))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("ZELADOR_CONFIG")
        if named and not Path(named).is_file():
            raise InvalidInput(f"ZELADOR_CONFIG names {named}, which is not a file")
        return init_settings, env_settings, _File(settings_cls, Path(named or "zelador.toml"))


class _File(TomlConfigSettingsSource):
    """The settings file. Its tables [profiles.NAME] are a setting of their own: the environment names profiles."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        if isinstance(found.get("profiles"), dict):
            found["profile_tables"] = found.pop("profiles")
        return found
