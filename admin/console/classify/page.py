"""The page to classify values that were typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Path as InPath
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from admin.access.roles import needs
from admin.console.classify.earlier_rows import SHOWN_VALUES, EarlierRow, read_rows
from admin.console.console import Console, Shown
from admin.console.language import Language
from admin.console.numbers import number_of, two_ways
from admin.console.page import pages, renderer, show
from admin.console.seen import Usual, middle_of
from admin.console.visitor import Visiting, Visitor
from operations.views.models import ModelDetail, ModelRow, model_detail, model_rows
from operations.views.plant import PlantView
from registry.listing import Query as Listed
from registry.model.rows import Answer
from registry.registry import Registry
from zelador.errors import InvalidInput, NotFound
from zelador.ranges import limits, objection
from zelador.settings import FieldSettings, Settings

router = pages("classify")

CHOICE = 6  # models to choose from
MAX_FIELDS = 300


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    unit: str
    text: str  # as typed
    value: float | None
    low: float | None  # smallest value in training
    high: float | None
    middle: Usual | None  # the middle 98 % of the values in training, outside which other pages show a value in red
    counts: Sequence[int]  # of values in training, in bins of equal width from low to high
    is_outside: bool
    is_wrong: bool  # no number, or one that is refused
    refused: str  # why the number is refused, or could be two; empty if it is accepted, or is not a number


@dataclass(frozen=True, slots=True)
class Classify:
    model: ModelDetail | None  # None if there is no model
    inputs: tuple[Input, ...]
    answer: Answer | None
    now_asked: EarlierRow | None  # what the answer is for, to be sent along with the next question
    asked: tuple[EarlierRow, ...]  # before that, the newest first
    choice: list[ModelRow]
    total: int  # models that are registered
    now: PlantView

    @property
    def probabilities(self) -> list[tuple[str, float]]:
        """The positive class first, so that its bar stays in its place; then the most probable one."""
        found = {} if self.answer is None else self.answer["probabilities"] or {}
        positive = self.model.positive if self.model else None
        return sorted(found.items(), key=lambda pair: (pair[0] != positive, -pair[1]))


@router.get("", **needs("viewer"))
def show_form(console: Shown, visitor: Visiting) -> Response:
    return _page(console, visitor, None, {})


@router.get("/by/{model}", **needs("viewer"))
def show_form_of(model: Annotated[str, InPath(max_length=64)], console: Shown, visitor: Visiting) -> Response:
    return _page(console, visitor, model, {})


@router.post("", **needs("viewer"))
async def classify(console: Shown, visitor: Visiting, request: Request) -> Response:
    """Classifies the values of a form: `model`, and `f.NAME` for each feature, with a decimal point or comma."""
    form: FormData = await request.form(max_fields=MAX_FIELDS)
    model = str(form.get("model", "")).strip() or None
    typed = {key[2:]: str(value)[:40] for key, value in form.items() if key.startswith("f.")}
    before = [str(each) for each in form.getlist("asked")]
    return await run_in_threadpool(_page, console, visitor, model, typed, before)


def _page(
    console: Console,
    visitor: Visitor,
    name: str | None,
    typed: Mapping[str, str],
    before: Sequence[str] | None = None,
) -> Response:
    """Shows the form; and the answer, if `before`, what was asked before, is given."""
    is_asked = before is not None
    services = console.services
    language = renderer(console, visitor).language
    state = services.registry.sync()
    if name is None and state.selection is not None:
        name = state.selection.model
    choice, total = _choice(services.registry)
    if name is None and choice:
        name = choice[0].name
    model = None if name is None else model_detail(services.registry, name)
    if model is None and is_asked:
        raise NotFound("there is no model to ask; train or import one")
    inputs = () if model is None else tuple(_inputs(language, services.settings, model, typed, is_asked))
    answer, now_asked = None, None
    if model is not None and is_asked and not any(each.is_wrong for each in inputs):
        reading = {each.name: each.value for each in inputs}
        answer = services.classifiers.classify(model.row.name, [reading])[0]
        now_asked = _asked(model, inputs, answer)
    if is_asked and not inputs:
        raise InvalidInput("the model has no inputs that can be typed")
    status = 422 if any(each.is_wrong for each in inputs) else 200
    asked = tuple(read_rows(before or (), model.row.name)) if model is not None else ()
    context = Classify(model, inputs, answer, now_asked, asked, choice, total, console.plant.read())
    return show(console, visitor, "classify/page.html", context, section="classify", status=status)


def _choice(registry: Registry) -> tuple[list[ModelRow], int]:
    """Returns the selected model and the newest ones, and how many there are in all."""
    selected, _ = model_rows(registry, Listed(), 1, 0, "selected")
    newest, total = model_rows(registry, Listed(), CHOICE, 0)
    return [*selected, *(row for row in newest if not row.is_selected)][:CHOICE], total


def _asked(model: ModelDetail, inputs: Sequence[Input], answer: Answer) -> EarlierRow:
    share = (answer["probabilities"] or {}).get(model.positive) if model.positive else None
    return EarlierRow(model.row.name, [each.text for each in inputs[:SHOWN_VALUES]], answer["label"], share)


def _refusal(language: Language, value: float, field: FieldSettings) -> str:
    """Returns why no sensor can have this value, or no model compute with it; empty if it is accepted."""
    if objection(value, "value", field) is None:
        return ""

    def shown(limit: float) -> str:
        return f"{language.plain(limit)} {field.unit}".rstrip()

    low, high = limits(field)
    if value < low:
        if field.minimum is None:
            return language.text("This number is too small to compute with.")
        return language.text("Too low: at least %(low)s.", low=shown(low))
    if field.maximum is None:
        return language.text("This number is too large to compute with.")
    return language.text("Too high: at most %(high)s.", high=shown(high))


def _inputs(
    language: Language, settings: Settings, model: ModelDetail, typed: Mapping[str, str], is_asked: bool
) -> list[Input]:
    found = []
    for feature in model.features:
        seen = feature.seen
        text = typed.get(feature.name)
        if text is None:
            middle = seen.median if seen and seen.median is not None else seen.minimum if seen else None
            text = "" if middle is None else language.entry(middle, 4)
        value = number_of(language, text)
        low, high = (None, None) if seen is None else (seen.minimum, seen.maximum)
        outside = value is not None and low is not None and high is not None and not low <= value <= high
        refused = (
            _refusal(language, value, settings.field(feature.name)) if value is not None else two_ways(language, text)
        )
        wrong = is_asked and (value is None or bool(refused))
        counts = seen.counts if seen else ()
        most = middle_of(seen) if seen else None
        found.append(Input(feature.name, feature.unit, text, value, low, high, most, counts, outside, wrong, refused))
    return found


ROUTERS = (router,)
