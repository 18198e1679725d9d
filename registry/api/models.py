"""/v1/models: what is registered."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Header, Request, Response

from registry.api.access import audit, who
from registry.api.problems import responses
from registry.state import Model, State

router = APIRouter(prefix="/v1/models", tags=["models"])

EXAMPLE = {
    "name": "RandomForest_20261124_115838",
    "model_type": "RandomForest",
    "metric": "F1",
    "metrics": {"F1": 0.8535, "Accuracy": 0.9238},
    "holdout": {"F1": 0.8534, "Accuracy": 0.9222},
    "rank": 1,
    "run": "20261124_115838-a38d",
    "served_by": "onnx",
    "features": ["lux", "temperature", "vibration"],
    "classes": ["no", "yes"],
    "selected": True,
}


def describe(model: Model, state: State) -> dict[str, Any]:
    """A model as the API shows it: its metadata, flat, with what the log knows of it."""
    return {
        "model_type": None,
        "metric": None,
        "metrics": {},
        "holdout": {},
        "rank": None,
        "run": None,
        "description": "",
        **model.metadata,
        "name": model.name,
        "digest": model.digest,
        "saved_at": model.saved_at,
        "saved_by": model.saved_by,
        "selected": state.selection is not None and state.selection.model == model.name,
    }


@router.get(
    "",
    summary="Every registered model, the newest first",
    responses={200: {"content": {"application/json": {"example": {"models": [EXAMPLE]}}}}, **responses(401)},
)
def list_models(request: Request, response: Response) -> dict[str, Any]:
    state = request.app.state.services.registry.sync()
    response.headers["ETag"] = f'"{state.etag}"'
    newest = sorted(state.models.values(), key=lambda model: model.saved_at, reverse=True)
    return {"models": [describe(model, state) for model in newest]}


@router.get(
    "/{name}",
    summary="One model",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(401, 404)},
)
def show_model(name: str, request: Request, response: Response) -> dict[str, Any]:
    state = request.app.state.services.registry.sync()
    response.headers["ETag"] = f'"{state.etag}"'
    return describe(state.model(name), state)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a model and its files; the selected one is refused",
    responses=responses(401, 404, 409, 412),
)
def delete_model(name: str, request: Request, if_match: str | None = Header(None)) -> Response:
    services = request.app.state.services
    services.registry.sync()
    services.registry.delete(name, by=who(request), if_match=if_match)
    audit(request, "model deleted", model=name)
    return Response(status_code=204)
