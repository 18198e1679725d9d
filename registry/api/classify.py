"""/v1/classify: one or many readings by hand, by the selected model or a named one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from registry.api.answers import Unchecked, answer
from registry.api.problems import responses
from registry.api.roles import needs
from registry.classifier import Classifier
from registry.matrix import Answer, answers_of
from registry.registry import Registry
from zelador.errors import Conflict

router = APIRouter(prefix="/v1/classify", tags=["classify"])

KEPT = 8  # models kept in memory
ROWS = 1_000

EXAMPLE = {
    "model": "RandomForest_20261124_115838",
    "predictions": [{"label": "yes", "confidence": 0.97, "probabilities": {"no": 0.03, "yes": 0.97}}],
}


class Classification(TypedDict):
    """What a model says of readings."""

    model: Annotated[str, Field(description="The name of the model that answered.")]
    predictions: Annotated[list[Answer], Unchecked(), Field(description="One for each reading, in their order.")]


class Question(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"readings": [{"lux": 412.0, "temperature": 61.4, "vibration": 3.82}]}]},
    )

    readings: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=ROWS, description="Each has a number for every feature of the model."),
    ]
    model: Annotated[str | None, Field(description="Without it, the selected model.")] = None


class Classifiers:
    """The models last used, loaded once. A classifier is used by one thread at a time."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Classifier] = OrderedDict()  # by digest: a name may be another model's by now

    def classify(self, name: str, readings: list[dict[str, Any]]) -> list[Answer]:
        """Raises ModelNotFound, ModelRefused, InvalidInput."""
        with self._lock:
            return answers_of(self._get(name), readings)

    def _get(self, name: str) -> Classifier:
        digest = self._registry.sync().model(name).digest
        found = self._kept.get(digest)
        if found is None:
            found = self._registry.load(name)
            self._kept[found.digest] = found  # not `digest`: the name may have changed hands since
        self._kept.move_to_end(found.digest)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


@router.post(
    "",
    summary="Classify readings by hand",
    responses={**answer(200, "What the model says of each reading.", EXAMPLE), **responses(404, 409)},
    **needs("viewer"),
)
def classify(question: Question, request: Request) -> Classification:
    services = request.app.state.services
    name = question.model
    if name is None:
        selection = services.registry.sync().selection
        if selection is None:
            raise Conflict("no model is selected; select one (PUT /v1/selection), or name one in the request")
        name = selection.model
    return {"model": name, "predictions": services.classifiers.classify(name, question.readings)}
