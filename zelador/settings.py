"""Every setting, its default and its why. The only module that reads the environment.

Read once at the start of a process, by `load_settings()`, from (first wins) environment variables
`ZELADOR_…` (`__` between levels), then the TOML file named by `ZELADOR_CONFIG` or `./zelador.toml`.
"""

from __future__ import annotations

import difflib
import json
import os
import socket
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
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

Metric = Literal["Accuracy", "AUC", "Recall", "Precision", "F1", "Kappa", "MCC"]


class Section(BaseModel):
    """A group of settings; an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FieldSettings(Section):
    """How one feature is read from a device's message: value = message[from] * scale."""

    source: str | None = Field(None, alias="from")  # the key in the message; None: the feature's own name
    scale: float = 1.0  # a device that sends kilolux: 1000
    unit: str = ""  # shown, never converted by
    minimum: float | None = None  # physical range after scaling; outside it a reading is quarantined
    maximum: float | None = None


# The physical range refuses a broken sensor, not an alarm: wider than anything a machine may do.
KNOWN_FIELDS: dict[str, dict[str, Any]] = {
    "lux": {"unit": "lx", "minimum": 0.0, "maximum": 200_000.0},
    "temperature": {"unit": "°C", "minimum": -100.0, "maximum": 1_000.0},
    "vibration": {"unit": "g", "minimum": 0.0, "maximum": 1_000.0},
    "humidity": {"unit": "%", "minimum": 0.0, "maximum": 100.0},
}


RESERVED = ("ts", "seq", "id", "label")  # what a message says beside its values


class MqttSettings(Section):
    url: str = "mqtt://127.0.0.1:1883"  # mqtt://[user:password@]host[:port], mqtts:// for TLS
    username: str | None = None  # instead of user:password@ in the URL
    password: str | None = None  # with username; never shown in a log
    ca_file: Path | None = None  # None: the system's certificates
    certificate_file: Path | None = None  # client certificate, for mutual TLS
    key_file: Path | None = None  # of the client certificate
    keepalive_s: PositiveInt = 30  # seconds of silence after which broker or client looks whether the other is there
    connect_timeout_s: PositiveFloat = 5.0  # of one try to connect, up to the broker's answer
    start_patience_s: PositiveFloat = 10.0  # how long a service tries at its start before it gives up
    session_expiry_s: PositiveInt = 7 * 86_400  # how long the broker queues for an ingester that is away
    receive_maximum: Annotated[int, Field(ge=1, le=65_535)] = 1_000  # messages held, not yet stored
    held_bytes: PositiveInt = 67_108_864  # of these messages' payloads: while Redis is away no more is read than this
    # the largest message with predictions, unless the broker announces a lower Maximum Packet Size: a larger answer to
    # an array goes out in parts, a larger prediction is set aside; brokers hang up at what is too large for them
    packet_bytes: Annotated[int, Field(ge=1_024, le=268_435_455)] = 1_048_576
    lane: bool = True  # PUBLISH and PUBACK go past paho, on its socket; false: through paho, several times slower
    system_topics: bool = True  # the ingester hears what the broker says of itself ($SYS): what it dropped, its version
    shared_group: str | None = None  # several ingesters: $share/<group>/…; never on the embedded broker

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("must look like mqtt://host:1883 or mqtts://host:8883")
        return url


class RedisSettings(Section):
    url: str = "redis://127.0.0.1:6379/0"  # redis://[user:password@]host[:port]/db, rediss:// for TLS, unix://
    prefix: str = "zelador"  # all keys are {prefix}:…, one slot of a cluster
    timeout_s: PositiveFloat = 5.0  # of one call; our own back-off goes around it
    start_patience_s: PositiveFloat = 10.0  # how long a service tries at its start before it gives up
    # when a reading is stored, so that it may be acknowledged. written: it is in Redis's append-only file; the death of
    # Redis costs nothing, a power cut up to 2 s. synced: it is on the disk (Redis needs appendfsync always), and slower
    durability: Literal["written", "synced"] = "written"
    repeat_window: PositiveInt = 200_000  # reading ids remembered, so that a redelivery is seen
    keep_readings: PositiveInt = 200_000  # finished readings kept for training; never trims what waits
    keep_bytes: PositiveInt = 268_435_456  # and their bytes, as JSON: what is reached first counts
    pack: PositiveInt = 50  # readings that came together and share an entry of the stream, which a worker takes whole
    keep_predictions: PositiveInt = 5_000  # newest predictions kept for the console
    # quarantined messages kept; beyond, the device with the most loses its oldest
    keep_quarantine: PositiveInt = 10_000
    keep_quarantine_bytes: PositiveInt = 67_108_864  # and their bytes: topic, reason and payload
    keep_quarantine_s: PositiveInt = 30 * 86_400  # and no longer than this: discarding is counted, and announced before
    keep_devices_s: PositiveInt = 30 * 86_400  # a device not heard of for so long is forgotten
    # devices remembered, at up to 4.3 KB each: beyond, the longest silent are forgotten, counted and logged
    keep_devices: PositiveInt = 100_000

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must look like redis://host:6379/0, rediss://host:6379/0 or unix:///path")
        return url


class TopicSettings(Section):
    """Topic templates; {device_id} stands for one level."""

    reading: str = "sensors/{device_id}/reading"  # where devices publish
    prediction: str = "sensors/{device_id}/prediction"  # where predictions are published
    status: str = "zelador/status/{service}/{instance}"  # birth and will of each service, retained
    # With commas: how response topics of MQTT 5 requests may begin; {device_id} is the sender's. Others are not
    # answered: a device must not write with our rights where it may not by itself. None: the reading topic up to
    # the device (sensors/{device_id}/); empty: no request is answered.
    response_prefixes: Annotated[tuple[str, ...] | None, NoDecode] = None

    @property
    def answered_prefixes(self) -> tuple[str, ...]:
        """How a response topic may begin."""
        if self.response_prefixes is not None:
            return self.response_prefixes
        return (self.reading.partition("{device_id}")[0] + "{device_id}/",)

    @field_validator("response_prefixes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _names(value)

    @field_validator("response_prefixes")
    @classmethod
    def _whole_levels(cls, prefixes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for prefix in prefixes or ():
            named = prefix.replace("{device_id}", "")
            if set(named) & set("+#{}\0") or prefix.startswith("$"):
                raise ValueError(f"{prefix!r} must hold no wildcard, no leading $ and no name but {{device_id}}")
            *levels, last = prefix.split("/")
            if "{device_id}" in last or any("{device_id}" in level and level != "{device_id}" for level in levels):
                raise ValueError(f"{prefix!r} must hold {{device_id}} as a whole level with a / after it")
        return prefixes

    @field_validator("reading", "prediction")
    @classmethod
    def _has_device(cls, template: str) -> str:
        levels = template.split("/")
        if levels.count("{device_id}") != 1 or template.count("{device_id}") != 1 or "+" in template or "#" in template:
            raise ValueError("must hold {device_id} as exactly one whole level, and no wildcard")
        return template


class IngestSettings(Section):
    client_id: str = "zelador-ingest"  # stable: the broker's queue hangs on it
    batch: PositiveInt = 500  # messages stored in one round trip
    max_payload_bytes: PositiveInt = 1_048_576  # a larger message is quarantined
    max_array: PositiveInt = 10_000  # readings in one gateway message
    max_ahead_s: PositiveFloat = 86_400.0  # a clock further ahead than this is wrong
    oldest_year: int = 2000  # a clock before this year is wrong
    drain_s: NonNegativeFloat = 0.0  # after SIGTERM, how long to take what the broker still has (embedded broker only)
    high_water: PositiveInt = 200_000  # waiting readings above which nothing is taken from the broker
    # and their bytes, with what requests carry: back-pressure has to come before Redis' maxmemory does
    high_water_bytes: PositiveInt = 268_435_456


class InferenceSettings(Section):
    # stable and unique: the worker's name in the consumer group; {hostname} stands for the machine's, or container's
    instance: str = "inference-1"
    batch: PositiveInt = 512  # readings classified at once, more or less: a stream's entry is never divided
    takeover_after_s: PositiveFloat = 15.0  # entries held so long by another worker are taken over
    # An entry given to a worker so often and never finished is set aside: it ends whoever classifies it.
    deliveries: Annotated[int, Field(ge=3)] = 5
    # A model that has not answered for so long is stuck: the worker ends, and its supervisor starts it again.
    model_timeout_s: PositiveFloat = 60.0
    # After each connection, how long to publish nothing: subscribers of a broker that forgets its sessions
    # (the embedded one) need the time to come back, or they miss predictions. Readings wait meanwhile.
    quiet_s: NonNegativeFloat = 0.0
    select_poll_s: PositiveFloat = 1.0  # how often the registry's log is looked at

    @field_validator("instance")
    @classmethod
    def _named_by_host(cls, instance: str) -> str:
        return instance.replace("{hostname}", socket.gethostname())


class TrainingSettings(Section):
    instance: str = "trainer-1"  # stable and unique: the trainer's name among those that take runs
    metric: Metric = "F1"  # what candidates are ranked by: Accuracy, AUC, Recall, Precision, F1, Kappa or MCC
    # PyCaret's ids with commas; without it, all that turbo takes
    candidates: Annotated[tuple[str, ...] | None, NoDecode] = None
    folds: Annotated[int, Field(ge=2, le=20)] = 5  # of the cross-validation
    keep: Annotated[int, Field(ge=1, le=20)] = 5  # how many of the best are registered
    holdout: Annotated[float, Field(gt=0.0, lt=0.9)] = 0.3  # share of the rows that no candidate sees in training
    seed: int = 7  # of the split and of every candidate: the same data give the same run
    max_rows: PositiveInt = 100_000  # more rows than these are drawn from at random
    timeout_s: PositiveFloat = 3_600.0  # of one run

    @field_validator("candidates", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _names(value)


class RegistrySettings(Section):
    url: str = ".zelador/registry"  # a folder, or a bucket: s3://bucket/prefix, gs://…, az://account/container/…
    # name=value with commas: what the URL does not say (region=…,endpoint=https://…); without it the AWS_…, GOOGLE_…
    # and AZURE_… variables and the machine's own identity are used
    bucket: Annotated[tuple[str, ...], NoDecode, Field(repr=False)] = ()
    timeout_s: PositiveFloat = 30.0  # of one request to a bucket, whole: a large model over a slow line takes its time
    # [id:]hex with commas, 64 or more hex digits each (openssl rand -hex 32): the first signs what is written, all
    # verify, and what none of them signed is refused; none: digests alone. To rotate, put a new key before the old.
    signing_key: Annotated[tuple[str, ...], NoDecode, Field(repr=False)] = ()
    check_s: PositiveFloat = 30.0  # how often services look whether it was restored or replaced under them
    # uploads that nobody registered, and the files of deleted models, go after so long: longer than any copy takes
    grace_s: PositiveFloat = 86_400.0
    keep_runs_s: PositiveFloat = 90 * 86_400.0  # a training run and its candidates that were not registered

    @field_validator("bucket", "signing_key", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _names(value)

    @field_validator("bucket")
    @classmethod
    def _pairs(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        if any("=" not in option for option in options):
            raise ValueError("must be name=value, with commas between")
        return options


class ApiSettings(Section):
    host: str = "127.0.0.1"  # the address to listen on
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000  # 0: any that is free
    keys_file: Path = Path(".zelador/keys.json")  # SHA-256 of each key, never the key
    max_body_bytes: PositiveInt = 1_048_576  # a larger request is refused
    max_upload_bytes: PositiveInt = 268_435_456  # a larger model is refused (POST /v1/models), packed or unpacked
    uploads_at_once: PositiveInt = 2  # each is held in memory, packed and unpacked
    # of one request to /v1/classify; the process that runs the model is ended then, and the answer is 503
    classify_timeout_s: PositiveFloat = 10.0
    classifications_at_once: PositiveInt = 4  # running or waiting for the one that runs; more are answered with 503
    # every change: who, what, before, after; a line of JSON each. None: audit.jsonl beside the keys
    audit_file: Path | None = None
    audit_bytes: PositiveInt = 67_108_864  # of one audit file; a full one is renamed by its time, and a new one begun
    audit_keep_s: PositiveInt = 400 * 86_400  # a renamed audit file is removed after so long, and never before
    # of all audit files: from 80 % on it is said; when it is reached, operators change nothing until files are moved
    audit_total_bytes: PositiveInt = 1_073_741_824
    rate_per_s: PositiveFloat = 100.0  # requests a second that one key may make in the long run
    rate_burst: PositiveInt = 200  # and at once
    changes_per_s: PositiveFloat = 5.0  # changes a second of one key in the long run; each 4 KiB count as one more
    changes_burst: PositiveInt = 50  # and at once
    connections: Annotated[int, Field(ge=16)] = 512  # open at once, half of them from one address at most
    # addresses and networks with commas whose X-Forwarded-For is believed; without it, nobody's is
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    failure_delay_s: NonNegativeFloat = 5.0  # the longest that the answer to a wrong key is held back; it grows to this
    keep_answers_s: PositiveInt = 86_400  # how long an Idempotency-Key is remembered

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _names(value)

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


class RemoteSettings(Section):
    """For `zelador models` and `zelador classify` on the registry of another machine."""

    url: str | None = None  # that machine's admin API, as --url; none: the registry of these settings
    key: Annotated[str | None, Field(repr=False)] = None  # a key of that API, as --key


class EmbeddedSettings(Section):
    """Which servers `zelador up` and `zelador demo` start."""

    # auto: a mosquitto 2 on the PATH, which keeps its queue on disk; else the wheel's iotcore
    broker: Literal["auto", "mosquitto", "iotcore"] = "auto"
    # auto: a redis-server 7 on the PATH; else the wheel's Valkey
    redis: Literal["auto", "redis-server", "valkey"] = "auto"


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"  # debug, info, warning or error
    format: Literal["auto", "json", "console"] = "auto"  # auto: console on a terminal, else json


class HealthSettings(Section):
    stalled_after_s: PositiveFloat = 30.0  # something waits and nothing is finished for so long: not ready, and said


class MetricsSettings(Section):
    host: str = "127.0.0.1"  # the address to listen on
    # of a worker's /metrics, /healthz and /readyz; None: it serves none
    port: Annotated[int, Field(ge=0, le=65_535)] | None = None


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZELADOR_", env_nested_delimiter="__", extra="forbid", frozen=True)

    features: Annotated[tuple[str, ...], NoDecode] = ("lux", "temperature", "vibration")
    fields: dict[str, FieldSettings] = Field(default_factory=dict, validate_default=True)
    mqtt: MqttSettings = MqttSettings()
    redis: RedisSettings = RedisSettings()
    topics: TopicSettings = TopicSettings()
    ingest: IngestSettings = IngestSettings()
    inference: InferenceSettings = InferenceSettings()
    training: TrainingSettings = TrainingSettings()
    registry: RegistrySettings = RegistrySettings()
    api: ApiSettings = ApiSettings()
    remote: RemoteSettings = RemoteSettings()
    health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    log: LogSettings = LogSettings()

    @field_validator("features", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _names(value)

    @model_validator(mode="before")
    @classmethod
    def _known_units(cls, data: Any) -> Any:
        """A field map adds to what is known of a feature (unit, range); it does not have to repeat it."""
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
            raise ValueError(f"fields: {unknown[0]!r} is not among the features ({', '.join(self.features)})")
        sources = [self.field(feature).source or feature for feature in self.features]
        if taken := [s for s in sources if s in RESERVED or sources.count(s) > 1]:
            raise ValueError(
                f"fields: {taken[0]!r} is read twice or is a name of the message itself ({', '.join(RESERVED)})"
            )
        return self

    def field(self, feature: str) -> FieldSettings:
        """How `feature` is read: what was set, else what is known of it, else its plain name."""
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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(named or "zelador.toml"))


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises InvalidInput, naming the setting and what it takes."""
    for name in os.environ:
        if name.startswith("ZELADOR_") and name != "ZELADOR_CONFIG":
            first = name.removeprefix("ZELADOR_").split("__")[0].lower()
            if first not in Settings.model_fields:
                raise InvalidInput(f"unknown setting {name}{_suggestion(name)}; see docs/reference/settings.md")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first_error = error.errors()[0]
        where = "__".join(str(part) for part in first_error["loc"]).upper()
        name = f"ZELADOR_{where}" if where else "settings"
        raise InvalidInput(f"{name}: {first_error['msg'].removeprefix('Value error, ')}") from None
    except (ValueError, OSError) as error:  # TOML or JSON that does not parse
        cause = error.__cause__ or error
        raise InvalidInput(
            f"settings cannot be read: {error} ({cause})" if cause is not error else f"settings cannot be read: {error}"
        ) from None


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process these settings, defaults too: it must not find others elsewhere."""
    values: dict[str, str] = {}
    dumped = settings.model_dump(mode="json", by_alias=True, exclude={"remote"})  # no service asks another machine
    for name, value in dumped.items():
        if name == "features":
            values["ZELADOR_FEATURES"] = ",".join(value)
        elif name == "fields":
            values["ZELADOR_FIELDS"] = json.dumps(value)
        else:
            for key, inner in value.items():
                if inner is not None:
                    text = ",".join(inner) if isinstance(inner, list) else str(inner)
                    values[f"ZELADOR_{name}__{key}".upper()] = text
    return values


def redact(url: str) -> str:
    """The URL without its password, for logs."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user = f"{parts.username}:***@" if parts.username else ":***@"
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{user}{host}{port}", parts.path, parts.query, ""))


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _suggestion(name: str) -> str:
    sections = {f: field.annotation for f, field in Settings.model_fields.items()}
    known = [f"ZELADOR_{s}".upper() for s in sections]
    for section, kind in sections.items():
        if isinstance(kind, type) and issubclass(kind, Section):
            known += [f"ZELADOR_{section}__{key}".upper() for key in kind.model_fields]
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
