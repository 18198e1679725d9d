"""Settings: each says what is wrong, and a child process gets what its parent had."""

from __future__ import annotations

from pathlib import Path

import pytest

from zelador.errors import InvalidInput
from zelador.settings import Settings, environment, load_settings, redact


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ZELADOR_MQTT__URL", "localhost", "ZELADOR_MQTT__URL: must look like mqtt://host:1883"),
        ("ZELADOR_REDIS__URL", "http://x", "ZELADOR_REDIS__URL: must look like redis://"),
        ("ZELADOR_REDIS_URL", "redis://x", r"unknown setting ZELADOR_REDIS_URL \(did you mean ZELADOR_REDIS__URL\?\)"),
        ("ZELADOR_MQTT__PORT", "1", "unknown setting ZELADOR_MQTT__PORT"),
        ("ZELADOR_INGEST__BATCH", "0", "ZELADOR_INGEST__BATCH: Input should be greater than 0"),
        ("ZELADOR_FEATURES", "", "name at least one feature"),
        ("ZELADOR_FEATURES", "lux,lux", "each once"),
        ("ZELADOR_FEATURES", "lux,a b", "'a b' is not a name"),
        ("ZELADOR_FIELDS", "{", "settings cannot be read"),
        ("ZELADOR_FIELDS", '{"humidity": {"from": "h"}}', "'humidity' is not among the features"),
        ("ZELADOR_FIELDS", '{"lux": {"from": "temperature"}}', "'temperature' is read twice"),
        ("ZELADOR_FIELDS", '{"lux": {"from": "id"}}', "name of the message itself"),
        ("ZELADOR_FIELDS__LUX__MINIMUM", "nan", "MINIMUM: Input should be a finite number"),
        ("ZELADOR_FIELDS__LUX__MAXIMUM", "-5", "LUX: minimum 0 is larger than maximum -5; correct one of them"),
        ("ZELADOR_FIELDS__LUX__SCALE", "0", "scale 0 makes every value 0"),
        ("ZELADOR_ALARM__SWEEP_S", "inf", "SWEEP_S: Input should be a finite number"),
        ("ZELADOR_TOPICS__READING", "sensors/reading", r"must hold \{device_id\}"),
        ("ZELADOR_TOPICS__READING", "{device_id}/sensor/{field}/state", "needs a device profile"),
        ("ZELADOR_FIELDS", '{"temp": {"from": "t"}}', "which ZELADOR_FEATURES names"),
        ("ZELADOR_MQTT__URL", "mqtt://host:99999", "ZELADOR_MQTT__URL: must look like mqtt://"),
        ("ZELADOR_TRAINING__METRIC", "R2", "Input should be 'Accuracy'"),
        ("ZELADOR_CONFIG", "/nowhere.toml", "which is not a file"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=says):
        load_settings()


def test_a_toml_file_and_the_environment_the_environment_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "zelador.toml"
    file.write_text('features = ["lux"]\n[ingest]\nbatch = 7\nclient_id = "from-file"\n')
    monkeypatch.setenv("ZELADOR_CONFIG", str(file))
    monkeypatch.setenv("ZELADOR_INGEST__BATCH", "9")
    settings = load_settings()
    assert settings.features == ("lux",)
    assert (settings.ingest.batch, settings.ingest.client_id) == (9, "from-file")


def test_a_field_map_adds_to_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZELADOR_FIELDS", '{"temperature": {"from": "temperatura"}}')
    field = load_settings().field("temperature")
    assert (field.source, field.unit, field.minimum) == ("temperatura", "°C", -100.0)
    assert load_settings().field("lux").unit == "lx"


def test_a_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(
        features=("lux", "humidity"),
        fields={"lux": {"from": "l", "scale": 1000}},
        redis={"url": "redis://h:1/0", "prefix": "p"},
        training={"candidates": "lr,nb"},
        api={"keys_file": "/k.json"},
    )
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == given
    for name, value in environment(Settings()).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == Settings()


def test_an_instance_may_be_named_by_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "4f2a91c0")
    assert load_settings().inference.instance == "inference-1"
    monkeypatch.setenv("ZELADOR_INFERENCE__INSTANCE", "inference-{hostname}")
    assert load_settings().inference.instance == "inference-4f2a91c0"


def test_a_password_is_not_shown() -> None:
    assert redact("mqtt://u:secret@h:1883") == "mqtt://u:***@h:1883"
    assert redact("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert redact("redis://h:1/0") == "redis://h:1/0"
