"""The data of a model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from registry.card.place import Place
from registry.errors import ModelNotFound
from registry.facts import describe_model
from registry.metadata import listed, mapping
from registry.model.manifest import Feature
from registry.model.manifest_shape import shown_document

if TYPE_CHECKING:
    from registry.registry import Registry

NOWHERE = Place()  # every address is the default
REPORT = "report/report.json"  # written by the trainer (trainer/evaluate/report.py); other models have none


@dataclass(frozen=True, slots=True)
class Card:
    """The data of a card. `facts` are from registry/facts.py, `sizes` are bytes by file, `report` may be empty."""

    facts: Mapping[str, Any]
    features: tuple[Feature, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    place: Place = NOWHERE

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(map(str, listed(self.facts.get("classes"))))

    @property
    def data(self) -> Mapping[str, Any]:
        """The trainer's description of the training data; empty for a model that it did not train."""
        return mapping(self.facts.get("data"))

    @property
    def confusion(self) -> tuple[tuple[str, ...], list[list[int]]] | None:
        """The labels and the confusion matrix on the hold-out: a row per actual label, a column per predicted one."""
        confusion = mapping(self.facts.get("confusion"))
        labels = tuple(map(str, listed(confusion.get("labels"))))
        counts = [listed(row) for row in listed(confusion.get("counts"))]
        is_square = len(counts) == len(labels) and all(len(row) == len(labels) for row in counts)
        is_counted = all(isinstance(n, int) and n >= 0 for row in counts for n in row)
        return (labels, counts) if labels and is_square and is_counted else None


def card_of(registry: Registry, name: str, place: Place = NOWHERE) -> Card:
    """The card of a registered model, with examples for `place`. Raises ModelNotFound, ModelRefused."""
    manifest = registry.manifest(name)
    state = registry.state
    try:
        report = shown_document(registry.file(name, REPORT)) if REPORT in manifest.files else {}
    except ModelNotFound:
        report = {}  # `zelador models verify` reports the missing file
    sizes = {path: file.size for path, file in manifest.files.items()}
    return Card(describe_model(state.model(name), state), manifest.features, sizes, report, place)
