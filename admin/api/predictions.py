"""/v1/predictions: recent predictions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.api.readings import Before, Device, Limit
from admin.document.answers import Next, Unchecked, answer
from admin.services import Held
from operations.views.stream import Prediction

router = APIRouter(route_class=Route, prefix="/v1/predictions", tags=["stream"])

EXAMPLE = {
    "id": "0f9d0c5a6b7f41f2a3c7e1d2b3a49586",
    "reading_id": "press-07-000017",
    "device_id": "press-07",
    "ts": "2026-11-24T10:00:00.000Z",
    "label": "yes",
    "confidence": 0.97,
    "probabilities": {"no": 0.03, "yes": 0.97},
    "model": "RandomForest_20261124_120432",
    "model_digest": "5f0e6c0d0a2f4b0f8e0c5c6f1f7c2b7f0c9f6c0d0a2f4b0f8e0c5c6f1f7c2b7f",
    "selection": 7,
    "predicted_at": "2026-11-24T10:00:00.004Z",
}


class PredictionPage(TypedDict):
    """A page of predictions."""

    predictions: Annotated[list[Prediction], Unchecked(), Field(description="Newest first.")]
    next: Next


@router.get(
    "",
    summary="List recent predictions",
    description="A sample for people: at most 20 predictions of a batch, and the newest 5,000 in all. Every prediction "
    "is published over MQTT.",
    responses=answer(200, "A page of predictions.", {"predictions": [EXAMPLE], "next": None}),
    **needs("viewer"),
)
def list_predictions(services: Held, limit: Limit = 50, before: Before = None, device: Device = None) -> PredictionPage:
    found, following = services.recent.predictions(limit, before, device)
    return {"predictions": found, "next": following}
