"""The page of one model: metrics, selection, rollout, rollback, notes and deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Response
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.existing import known_runs, reported_devices
from admin.console.page import go, pages, show, signed_in
from admin.console.render import Renderer
from admin.console.said import Said
from admin.console.stream import Live, Topic
from admin.console.visitor import Visiting, Visitor
from admin.console.words import people
from operations.acts import models as acts
from operations.acts import selection as selections
from operations.views.models import ModelDetail, model_detail
from operations.views.plant import PlantView
from operations.views.same_test import FalseAlarms, false_alarms
from registry.log.state import State
from zelador.errors import InvalidInput, ZeladorError

router = pages("models")
rollback = pages("rollback")

Name = Annotated[str, InPath(max_length=64)]
Why = Annotated[str, Form(max_length=2_000)]
Tag = Annotated[str, Form(max_length=64)]
MAX_TAGS, MAX_TAG = 50, 64


@dataclass(frozen=True, slots=True)
class ModelPage:
    model: ModelDetail
    now: PlantView
    names: dict[str, str]  # of people
    may_change: bool
    may_delete: bool
    lacking: tuple[str, ...]  # features that the model needs and the plant does not send
    previous: str | None  # the model that rolling back would select
    previous_lacks: tuple[str, ...]
    linked: frozenset[str]  # its run, if that has a page
    replaced: str | None  # the model that the present selection replaced
    known: frozenset[str]  # devices of its report that have a page
    false_alarms: tuple[FalseAlarms | None, FalseAlarms | None]  # of the selected model and of this one


@dataclass(frozen=True, slots=True)
class Rollout:
    now: PlantView


@router.get("/{name}", **needs("viewer"))
def show_model(name: Name, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, name, "model/page.html")


@router.get("/{name}/select", **needs("operator"))
def confirm_selection(name: Name, console: Shown, visitor: Visiting) -> Response:
    """Shows the dialog as a page, for browsers without JavaScript."""
    return _show(console, visitor, name, "model/select.html")


@router.get("/{name}/delete", **needs("admin"))
def confirm_deletion(name: Name, console: Shown, visitor: Visiting) -> Response:
    return _show(console, visitor, name, "model/delete.html")


@router.post("/{name}/select", **needs("operator"))
def select(
    name: Name, console: Shown, actor: Acting, why: Why = "", etag: Tag = "", force: Annotated[str, Form()] = ""
) -> Response:
    services, forced = console.services, force == "yes"
    features = services.settings.features
    selections.select(actor, services.registry, name, features, force=forced, why=why, if_match=etag or None)
    return go(f"/console/models/{name}", Said("selected", name))


@dataclass(frozen=True, slots=True)
class RollBack:
    previous: str | None  # the model that would be selected
    selected: str | None
    lacking: tuple[str, ...]  # features that it needs and the plant does not send
    etag: str


@rollback.get("", **needs("operator"))
def confirm_rollback(console: Shown, visitor: Visiting) -> Response:
    """Asks for confirmation if the plant does not send all features of the previous model."""
    state = console.services.registry.sync()
    previous = previous_of(state)
    selected = None if state.selection is None else state.selection.model
    context = RollBack(previous, selected, _lacking(console, previous), f'"{state.etag}"')
    return show(console, visitor, "model/rollback.html", context, section="models")


@rollback.post("", **needs("operator"))
def roll_back(
    console: Shown, actor: Acting, why: Why = "", etag: Tag = "", force: Annotated[str, Form()] = ""
) -> Response:
    services = console.services
    features, forced = services.settings.features, force == "yes"
    selection = selections.roll_back(actor, services.registry, features, force=forced, why=why, if_match=etag or None)
    return go(f"/console/models/{selection.model}", Said("rolled back", selection.model))


@router.post("/{name}/notes", **needs("operator"))
def annotate(
    name: Name,
    console: Shown,
    actor: Acting,
    notes: Annotated[str, Form(max_length=20_000)] = "",
    description: Annotated[str, Form(max_length=4_000)] = "",
    tags: Annotated[str, Form(max_length=MAX_TAGS * (MAX_TAG + 2))] = "",
    etag: Tag = "",
) -> Response:
    texts = {"notes": notes.replace("\r\n", "\n"), "description": description}
    acts.amend(actor, console.services.registry, name, texts, tags_of(tags), if_match=etag or None)
    return go(f"/console/models/{name}#notes", Said("notes saved", name))


@router.post("/{name}/delete", **needs("admin"))
def delete(
    name: Name, console: Shown, actor: Acting, typed: Annotated[str, Form(max_length=64)] = "", why: Why = ""
) -> Response:
    if typed.strip() != name:
        raise InvalidInput(f"to delete {name}, type its name; nothing was deleted", field="typed")
    acts.delete(actor, console.services.registry, name, why=why)
    return go("/console/models", Said("deleted", name))


def tags_of(text: str) -> list[str]:
    """Parses tags separated by commas. Raises InvalidInput."""
    found = [tag.strip() for tag in text.split(",") if tag.strip()]
    if len(found) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in found):
        raise InvalidInput(f"tags: at most {MAX_TAGS}, of at most {MAX_TAG} characters each")
    return found


def look(console: Console, renderer: Renderer, _topic: Topic, now: PlantView) -> Live:
    """Renders the rollout of the current selection. An event tells the page when another model is selected."""
    names = {"rollout": "rollout", "model-state": "model_state"}  # id of an element to its macro
    parts = {name: renderer.macro("model/rollout.html", macro, now) for name, macro in names.items()}
    return Live(parts, {} if now.selection is None else {"selected": now.selection["model"]})


def previous_of(state: State) -> str | None:
    """Returns the model that rolling back would select, or None."""
    try:
        return state.previous()
    except ZeladorError:
        return None


def replaced_in(state: State) -> str | None:
    """Returns the model that the present selection replaced, if it still exists."""
    before = None if state.selection is None else state.replaced_by(state.selection)
    return before.model if before is not None and before.model in state.models else None


def _lacking(console: Console, name: str | None) -> tuple[str, ...]:
    """Returns the features that a model needs and the plant does not send."""
    model = console.services.registry.state.models.get(name or "")
    needed = () if model is None else model.metadata.get("features") or ()
    return tuple(str(each) for each in needed if each not in console.services.settings.features)


def _show(console: Console, visitor: Visitor, name: str, template: str) -> Response:
    key = signed_in(visitor)
    model = model_detail(console.services.registry, name)
    previous = previous_of(console.services.registry.state)
    models, alarm = console.services.registry.state.models, console.services.settings.alarm
    context = ModelPage(
        model,
        console.plant.read(),
        people(console.services, key.role),
        key.may("operator"),
        key.may("admin"),
        _lacking(console, name),
        previous,
        _lacking(console, previous),
        known_runs(console, (model.row.run,)),
        replaced_in(console.services.registry.state),
        reported_devices(console.services, model.report),
        (false_alarms(models.get(model.selected or ""), alarm), false_alarms(models.get(name), alarm)),
    )
    is_selected = context.model.row.is_selected
    return show(console, visitor, template, context, section="models", live="model" if is_selected else "watch")


ROUTERS = (
    router,
    rollback,
)
