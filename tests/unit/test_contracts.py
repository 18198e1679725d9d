"""docs/contracts.md is true: every example is parsed by the code that reads or writes such a thing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from registry.log import entry as log_entry
from zelador.alarms.state import PublishedState
from zelador.buffer.keys import Keys
from zelador.decode import Decoder
from zelador.labels.message import LabelMessages
from zelador.ledger import Ledger
from zelador.messages import Arrival, Prediction
from zelador.settings import Settings
from zelador.training_queue.event import decode, encode

PAGE = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json ([a-z-]+)\n(.*?)```", PAGE, re.DOTALL)
NOW = 1_795_514_400_000


def of(kind: str) -> list[str]:
    return [text for name, text in EXAMPLES if name == kind]


def test_every_kind_of_example_is_checked() -> None:
    assert {name for name, _ in EXAMPLES} == {
        "reading", "readings", "fields", "seed-reading", "label", "prediction", "state", "ledger", "entry", "log-entry",
        "run-event",
    }  # fmt: skip


@pytest.mark.parametrize("text", of("reading") + of("readings"))
def test_readings(text: str) -> None:
    entry, refused = Decoder(Settings()).decode("sensors/press-07/reading", text.encode(), NOW)
    assert refused == []
    assert entry is not None
    expected = json.loads(text)
    assert len(entry.readings) == (len(expected) if isinstance(expected, list) else 1)


def test_the_field_map_accepts_the_example_message() -> None:
    (fields,), (message,) = of("fields"), of("seed-reading")
    decoder = Decoder(Settings(fields=json.loads(fields)))
    entry, refused = decoder.decode("sensors/esp32/reading", message.encode(), NOW)
    assert refused == []
    assert entry is not None
    assert entry.readings[0].values == (812.0, 24.5, 0.031)


@pytest.mark.parametrize("text", of("label"))
def test_labels(text: str) -> None:
    label = LabelMessages(Settings()).read("sensors/press-07/label", text.encode(), NOW)
    assert label is not None and label.device == "press-07"


@pytest.mark.parametrize("text", of("run-event"))
def test_events_of_runs(text: str) -> None:
    assert json.loads(encode(decode(text))) == json.loads(text)


@pytest.mark.parametrize("text", of("prediction"))
def test_predictions(text: str) -> None:
    found = msgspec.json.decode(text, type=Prediction)
    assert json.loads(msgspec.json.encode(found)) == json.loads(text)


def test_the_state_of_a_device() -> None:
    (text,) = of("state")
    found = msgspec.json.decode(text, type=PublishedState)
    assert json.loads(msgspec.json.encode(found)) == json.loads(text)


def test_the_ledger() -> None:
    (text,) = of("ledger")
    given = json.loads(text)
    ledger = Ledger(**{key: value for key, value in given.items() if key != "unaccounted"})
    assert ledger.flat() == given


def test_an_entry_of_the_stream() -> None:
    (text,) = of("entry")
    (arrival,) = msgspec.json.decode(text, type=tuple[Arrival, ...])
    assert arrival.readings[0].label == "yes"


def test_an_entry_of_the_log() -> None:
    (text,) = of("log-entry")
    entry = log_entry.decode(text.encode(), 7, json.loads(text)["previous"])
    assert entry.ops[0]["op"] == "select"


def test_every_key_is_in_the_table() -> None:
    keys = Keys("p")
    named = [
        keys.readings,
        keys.quarantine,
        keys.predictions,
        keys.ledger,
        *keys.seen,
        keys.marks,
        keys.devices,
        keys.selected,
        keys.training_jobs,
        keys.run_current,
        keys.run("<id>"),
        keys.run_cancel("<id>"),
    ]
    for name in [*named, keys.device("<id>"), keys.worker("<service>", "<instance>")]:
        assert f"`{name.removeprefix('{p}:')}`" in PAGE
