"""How to use a model: examples for MQTT, the API, the command line and Python, with a typical reading."""

from __future__ import annotations

import json
from collections.abc import Iterator

from registry.card.blocks import Code, Words
from registry.card.card import Card
from registry.card.numbers import number
from registry.metadata import mapping
from registry.model.manifest import Feature
from zelador.printable import clean_json, shell_word


def usage(card: Card) -> Iterator[Words | Code]:
    reading = {feature.name: _typical(card, feature) for feature in card.features}
    if card.facts.get("selected"):
        yield Words("It is selected: it classifies every reading that a device publishes.")
    else:
        yield Words("Once it is selected, it classifies every reading that a device publishes.")
    place = card.place
    keys = {name: (source, scale) for name, source, scale in place.sources}
    sent = {keys.get(name, (name, 1.0))[0]: value / keys.get(name, (name, 1.0))[1] for name, value in reading.items()}
    body = clean_json(json.dumps(sent, ensure_ascii=False))
    select = "" if card.facts.get("selected") else f"zelador models select {shell_word(card.name)}{place.options}\n"
    values = " ".join(shell_word(f"{name}={value}") for name, value in reading.items())
    yield Code(
        "Command line", f"{select}zelador classify --model {shell_word(card.name)}{place.options} {values}", "sh"
    )
    listen = f"mosquitto_sub{place.client_options} -q 1 -t {shell_word(place.prediction)}"
    send = f"mosquitto_pub{place.client_options} -q 1 -t {shell_word(place.reading)} -m {shell_word(body)}"
    yield Code("MQTT", listen if place.profiles else f"{listen} &\n{send}", "sh")
    if place.profiles:
        topics = "; ".join(f"{topic} ({name})" for name, topic in place.profiles)
        yield Words(f"Devices publish as their profiles say, on these topics: {topics}.")
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
        f'rows = pd.DataFrame([[{row}]], columns=getattr(model, "feature_names_in_", range({len(reading)})))\n'
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
