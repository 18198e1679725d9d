"""A registry on this machine: the one in the settings or in a home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from command.empty_folder import in_empty_folder
from command.models.target import Use
from operations.actor import Actor
from operations.acts import models, runs, selection
from operations.local import local_actor
from operations.views.same_test import doubts, warnings
from registry.facts import describe_model, describe_selection
from registry.model.classifier import Classifier
from registry.model.rows import Answer, answers_of
from registry.registry import Query, Registry
from zelador.errors import Conflict, InvalidInput
from zelador.settings import Settings
from zelador.user import user

if TYPE_CHECKING:
    from operations.acts.evaluations import Labeled

Facts = Mapping[str, Any]
MAX_UNPACKED = 1 << 30  # bytes of an unpacked model


class Local:
    def __init__(self, settings: Settings, use: Use = "look") -> None:
        """The settings must have absolute paths.

        Raises NotFound if there is no registry and `use` is not "make", Unavailable if changes cannot be audited.
        """
        self._settings = settings
        self._loaded: dict[str, Classifier] = {}
        where = settings.registry
        self.registry = Registry.open(where) if use == "make" else Registry.existing(where)
        if use == "change":
            self.registry = Registry.open(where)
        self._actor = local_actor(settings) if use != "look" else None

    @property
    def actor(self) -> Actor:
        """The actor of changes."""
        assert self._actor is not None, "this registry is opened read-only"  # noqa: S101
        return self._actor

    def models(self, query: Query, limit: int | None = None) -> list[Facts]:
        found = self.registry.find(query)[:limit]
        state = self.registry.state
        return [describe_model(model, state) for model in found]

    def selected(self) -> str | None:
        found = self.registry.state.selection
        return found.model if found else None

    def model(self, name: str) -> Facts:
        state = self.registry.state
        model = state.model(name)
        return {**describe_model(model, state), "path": self.registry.where(model)}

    def history(self) -> list[Facts]:
        return [describe_selection(each) for each in reversed(self.registry.state.history)]

    def select(self, name: str, why: str, force: bool = False) -> Facts:
        against = doubts(self.registry.sync(), name)
        found = selection.select(self.actor, self.registry, name, self._settings.features, force=force, why=why)
        return {**describe_selection(found), "warnings": warnings(against)}

    def roll_back(self, why: str, force: bool = False) -> Facts:
        found = selection.roll_back(self.actor, self.registry, self._settings.features, force=force, why=why)
        return describe_selection(found)

    def annotate(
        self, name: str, metadata: Mapping[str, Any], add: Sequence[str], remove: Sequence[str], why: str
    ) -> Facts:
        if both := sorted(set(add) & set(remove)):
            raise InvalidInput(f"the tag {both[0]!r} cannot be both added and removed")
        models.amend(self.actor, self.registry, name, metadata, add=add, remove=remove, why=why)
        return self.model(name)

    def rename(self, name: str, to: str, why: str) -> Facts:
        models.amend(self.actor, self.registry, name, {}, to=to, why=why)
        return self.model(to)

    def delete(self, name: str, why: str) -> None:
        models.delete(self.actor, self.registry, name, why=why)

    def classify(self, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
        model = model or self.selected()
        if model is None:
            raise Conflict("no model is selected; name one with --model, or run zelador models select NAME")
        return {"model": model, "predictions": self._answers(model, readings)}

    def evaluate(self, names: Sequence[str], rows: Labeled, positive: str | None, keep: bool) -> Facts:
        from operations.acts.evaluations import evaluate

        actor = self._actor if keep else None
        return evaluate(actor, self.registry, self._answers, names, rows, self._settings, user(), positive)

    def _answers(self, name: str, readings: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Classifies readings. Loads the model only once, however often it is called."""
        with in_empty_folder():
            if name not in self._loaded:
                self._loaded[name] = self.registry.load(name)
            return answers_of(self._loaded[name], readings, self._settings)

    def save(self, run: str, ranks: Sequence[int] | None, names: Sequence[str], notes: Sequence[str]) -> list[Facts]:
        saved = runs.save(self.actor, self.registry, run, runs.picks(self.registry, run, ranks, names, notes))
        return [self.model(model["name"]) for model in saved]

    def card(self, name: str, html: bool) -> str:
        from registry.card import card_html, card_markdown, card_of, place_of

        found = card_of(self.registry, name, place_of(self._settings))
        return card_html(found) if html else card_markdown(found)

    def archive(self, name: str) -> bytes:
        from registry.bundle import bundle

        return bundle.of(self.registry, name)

    def add(self, data: bytes, name: str | None, why: str, trust: bool = False) -> Facts:
        why = why or "imported"
        added = models.register(self.actor, self.registry, data, MAX_UNPACKED, name=name, why=why, trust=trust)
        return self.model(added["name"])
