"""What a card is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from registry.errors import ModelNotFound
from registry.facts import facts_of
from registry.manifest import Feature
from registry.manifest_shape import shown_document

if TYPE_CHECKING:
    from registry.registry import Registry

REPORT = "report/report.json"  # the trainer writes it (trainer/report.py); a model that came otherwise has none


@dataclass(frozen=True, slots=True)
class Card:
    """`facts` as registry/facts.py gives them; `sizes` in bytes, by file; `report` is empty where there is none."""

    facts: Mapping[str, Any]
    features: tuple[Feature, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(map(str, listed(self.facts.get("classes"))))

    @property
    def data(self) -> Mapping[str, Any]:
        """What the trainer noted of the data; empty for a model that came otherwise."""
        return mapping(self.facts.get("data"))

    @property
    def confusion(self) -> tuple[tuple[str, ...], list[list[int]]] | None:
        """Labels, and how often each (row) was answered by each (column) on the hold-out."""
        kept = mapping(self.facts.get("confusion"))
        labels, counts = (
            tuple(map(str, listed(kept.get("labels")))),
            [listed(row) for row in listed(kept.get("counts"))],
        )
        square = len(counts) == len(labels) and all(len(row) == len(labels) for row in counts)
        whole = all(isinstance(n, int) and n >= 0 for row in counts for n in row)
        return (labels, counts) if labels and square and whole else None


def card_of(registry: Registry, name: str) -> Card:
    """Raises ModelNotFound, ModelRefused."""
    manifest = registry.manifest(name)
    state = registry.state
    try:
        report = shown_document(registry.file(name, REPORT)) if REPORT in manifest.files else {}
    except ModelNotFound:
        report = {}  # that it is gone is verify's to say
    sizes = {path: file.size for path, file in manifest.files.items()}
    return Card(facts_of(state.model(name), state), manifest.features, sizes, report)


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is a mapping: metadata that people wrote may be anything."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """`value` if it is a list."""
    return value if isinstance(value, list) else []
