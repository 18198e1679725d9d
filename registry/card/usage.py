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
    place = card.place
    select = "" if card.facts.get("selected") else f"zelador models select {shell_word(card.name)}{place.options}\n"
    values = " ".join(shell_word(f"{name}={value}") for name, value in reading.items())
    yield Code(
        "Command line", f"{select}zelador classify --model {shell_word(card.name)}{place.options} {values}", "sh"
    )
    yield Code(
        "MQTT",
        f"mosquitto_sub{place.client_options} -q 1 -t {shell_word(place.prediction)} &\n"
        f"mosquitto_pub{place.client_options} -q 1 -t {shell_word(place.reading)} -m {shell_word(body)}",
        "sh",
    )
    request = clean_json(json.dumps({"model": card.name, "readings": [reading]}, ensure_ascii=False))
    yield Code(
        "API",
        f"KEY=$(zelador keys new --role viewer{place.options})\n"
        'curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shell_word(request)} \\\n  {place.api}/v1/classify",
        "sh",
    )
    row = ", ".join(str(value) for value in reading.values())
    proba = "\nprint(model.predict_proba(rows))" if card.facts.get("has_probabilities", True) else ""
    where = "" if place.registry is None else _environment(place.registry)
    yield Code(
        "Python",
        f'{where}import pandas as pd\nfrom registry import load_model\n\nmodel = load_model("{card.name}")\n'
        f'rows = pd.DataFrame([[{row}]], columns=getattr(model, "feature_names_in_", None))\n'
        f"print(model.predict(rows)){proba}",
        "python",
    )


def _environment(registry: str) -> str:
    """The lines that name the registry to Python."""
    return f'import os\n\nos.environ["ZELADOR_REGISTRY__URL"] = {json.dumps(registry)}\n\n'


def _typical(card: Card, feature: Feature) -> float:
    """A typical value: the median of the training data, or the middle of its range, or 1 if neither is known."""
    median = number(mapping(mapping(card.report.get("training")).get(feature.name)).get("median"))
    low, high = number(feature.minimum), number(feature.maximum)
    if median is None:
        median = 1.0 if low is None or high is None else (low + high) / 2
    return float(f"{median:.4g}")
