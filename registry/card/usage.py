"""How to use a model: examples for MQTT, the API, the command line and Python, with a typical reading."""

from __future__ import annotations

import json
from collections.abc import Iterator

from registry.card.blocks import Code, Words
from registry.card.card import Card, mapping
from registry.card.numbers import number
from registry.model.manifest import Feature
from zelador.printable import clean_json, shell_word


def usage(card: Card) -> Iterator[Words | Code]:
    reading = {feature.name: _typical(card, feature) for feature in card.features}
    body = clean_json(json.dumps(reading, ensure_ascii=False))
    if card.facts.get("selected"):
        yield Words("It is selected: it classifies every reading that a device publishes.")
    else:
        yield Words("Once it is selected, it classifies every reading that a device publishes.")
    select = "" if card.facts.get("selected") else f"zelador models select {shell_word(card.name)}\n"
    values = " ".join(shell_word(f"{name}={value}") for name, value in reading.items())
    yield Code("Command line", f"{select}zelador classify --model {shell_word(card.name)} {values}", "sh")
    yield Code(
        "MQTT",
        f"mosquitto_sub -q 1 -t sensors/press-07/prediction &\n"
        f"mosquitto_pub -q 1 -t sensors/press-07/reading -m {shell_word(body)}",
        "sh",
    )
    request = clean_json(json.dumps({"model": card.name, "readings": [reading]}, ensure_ascii=False))
    yield Code(
        "API",
        'curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shell_word(request)} \\\n  http://127.0.0.1:8000/v1/classify",
        "sh",
    )
    row = ", ".join(str(value) for value in reading.values())
    proba = f"\nmodel.predict_proba([[{row}]])" if card.facts.get("has_probabilities", True) else ""
    yield Code(
        "Python",
        f'from registry import load_model\n\nmodel = load_model("{card.name}")\nmodel.predict([[{row}]]){proba}',
        "python",
    )


def _typical(card: Card, feature: Feature) -> float:
    """A typical value: the median of the training data, or the middle of its range, or 1 if neither is known."""
    median = number(mapping(mapping(card.report.get("training")).get(feature.name)).get("median"))
    low, high = number(feature.minimum), number(feature.maximum)
    if median is None:
        median = 1.0 if low is None or high is None else (low + high) / 2
    return float(f"{median:.4g}")
