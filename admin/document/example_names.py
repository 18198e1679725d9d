"""Names and values of this plant, for the commands of /docs: an example that names what does not exist is refused."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import redis

from admin.services import Services
from operations.views.plant import labels_of
from zelador.errors import ZeladorError

log = logging.getLogger(__name__)

Values = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ExampleNames:
    """Empty, or in capitals, is what is not known, or not for this visitor."""

    model: str = "MODEL"
    device: str = "DEVICE"
    labels: tuple[str, ...] = ()  # two that the model can answer
    values: Values = ()  # of a reading: feature and value

    def body(self, example: Any) -> Any:
        """Returns the example of a body with these names and values in it."""
        if not isinstance(example, Mapping):
            return example
        readings = [dict(self.values)] * (len(self.labels) or 1 if "labels" in example else 1)  # one for each label
        return {
            key: readings if key == "readings" and self.values else self._part(key, value)
            for key, value in example.items()
        }

    def path(self, method: str, path: str) -> str:
        """Returns the path with its parameters in capitals. What only looks names a model and a device that exist."""
        known = {"device": self.device, "name": self.model} if method == "GET" else {}
        return re.sub(r"\{(\w+)\}", lambda found: quote(known.get(found[1], found[1].upper()), safe=""), path)

    def _part(self, key: str, value: Any) -> Any:
        match key:
            case "model":
                return self.model
            case "models":
                return [self.model]
            case "device":
                return self.device
            case "devices":
                return [self.device]
            case "labels" if self.labels and self.values:
                return list(self.labels)
            case _:
                return value


def example_names(services: Services) -> ExampleNames:
    """Reads the names: the selected model, and the device and the values of the newest reading."""
    unknown = ExampleNames()
    model, device = unknown.model, unknown.device
    labels: tuple[str, ...] = ()
    values: Values = ()
    try:
        state = services.registry.sync()
        if state.selection is not None:
            model = state.selection.model
            labels = labels_of(state.models.get(model))[:2]
    except (ZeladorError, OSError) as error:
        log.debug("the registry cannot be read: %s", error)
    try:
        for newest in services.recent.readings(1, None, None)[0]:
            device, values = newest["device_id"], tuple(newest["values"].items())
    except (redis.RedisError, OSError) as error:
        log.debug("Redis does not answer: %s", error)
    return ExampleNames(model, device, labels, values)
