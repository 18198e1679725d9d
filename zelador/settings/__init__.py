"""Every setting, its default and its description. No other module reads the environment."""

from zelador.settings.alarm import AlarmRuleSettings, AlarmSettings, HomeAssistantSettings
from zelador.settings.api import ApiSettings
from zelador.settings.archive import ArchiveSettings
from zelador.settings.datasets import DatasetSettings
from zelador.settings.fields import KNOWN_FIELDS, RESERVED, FieldSettings
from zelador.settings.load import environment, load_settings, redact
from zelador.settings.mqtt import MqttSettings, TopicSettings
from zelador.settings.process import EmbeddedSettings, HealthSettings, LogSettings, MetricsSettings
from zelador.settings.redis import RedisSettings
from zelador.settings.registry import RegistrySettings, RemoteSettings
from zelador.settings.section import Section
from zelador.settings.settings import Settings
from zelador.settings.training import SplitKind, TrainingSettings
from zelador.settings.workers import InferenceSettings, IngestSettings

__all__ = [
    "KNOWN_FIELDS",
    "RESERVED",
    "AlarmRuleSettings",
    "AlarmSettings",
    "ApiSettings",
    "ArchiveSettings",
    "DatasetSettings",
    "EmbeddedSettings",
    "FieldSettings",
    "HealthSettings",
    "HomeAssistantSettings",
    "InferenceSettings",
    "IngestSettings",
    "LogSettings",
    "MetricsSettings",
    "MqttSettings",
    "RedisSettings",
    "RegistrySettings",
    "RemoteSettings",
    "Section",
    "Settings",
    "SplitKind",
    "TopicSettings",
    "TrainingSettings",
    "environment",
    "load_settings",
    "redact",
]
