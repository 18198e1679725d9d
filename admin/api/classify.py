"""/v1/classify: classifies readings on request, with the selected model or a named one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.document.answers import Unchecked, answer
from admin.document.problems import responses
from admin.services import Held
from registry.model.rows import Answer
from zelador.errors import Conflict

router = APIRouter(route_class=Route, prefix="/v1/classify", tags=["classify"])

ROWS = 1_000

EXAMPLE = {
    "model": "RandomForest_20261124_115838",
    "predictions": [{"label": "yes", "confidence": 0.97, "probabilities": {"no": 0.03, "yes": 0.97}}],
}


class Classification(TypedDict):
    """The predictions of a model for the given readings."""

    model: Annotated[str, Field(description="The name of the model that answered.")]
    predictions: Annotated[
        list[Answer], Unchecked(), Field(description="One for each reading, in the order of the request.")
    ]


class Question(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"readings": [{"lux": 412.0, "temperature": 61.4, "vibration": 3.82}]}]},
    )

    readings: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=ROWS, description="The readings: a number for each feature of the model."),
    ]
    model: Annotated[str | None, Field(description="Name of the model; the selected model by default.")] = None


@router.post(
    "",
    summary="Classify readings",
    description="The model runs in a separate process. If it does not answer within "
    "`ZELADOR_API__CLASSIFY_TIMEOUT_S`, the process is killed, and the model is not used again for a minute. The "
    "response is then 503 with Retry-After, as it is when `ZELADOR_API__CLASSIFICATIONS_AT_ONCE` requests are "
    "already running.",
    responses={**answer(200, "The prediction for each reading.", EXAMPLE), **responses(404, 409, 503)},
    **needs("viewer"),
)
def classify(question: Question, services: Held, request: Request) -> Classification:
    name = question.model
    if name is None:
        selection = services.registry.sync().selection
        if selection is None:
            raise Conflict("no model is selected; select one (PUT /v1/selection), or name one in the request")
        name = selection.model
    return {"model": name, "predictions": services.classifiers.classify(name, question.readings)}
