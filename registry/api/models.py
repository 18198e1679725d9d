"""/v1/models: what is registered: list, show, annotate, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from registry.api.access import audit, who
from registry.api.problems import PreconditionRequired, responses
from registry.api.roles import needs
from registry.state import Model, State
from zelador.errors import InvalidInput

router = APIRouter(prefix="/v1/models", tags=["models"])

Name = Annotated[str, InPath(description="The model's name.", examples=["RandomForest_20261124_115838"])]
IfMatch = Annotated[
    str | None, Header(description="The ETag of the state that the change was decided on.", max_length=100)
]
Scalar = bool | int | float | Annotated[str, Field(max_length=4_000)] | None

FACTS = ("name", "saved_at", "model_type", "rank", "selected")  # what else than a metric a list can be sorted by
# What training found and what the files are: set once, never by hand.
FIXED = frozenset(
    {"name", "digest", "saved_at", "saved_by", "selected", "upload", "tags", "model_type", "metric", "metrics"}
    | {"holdout", "rank", "run", "served_by", "features", "units", "classes", "has_probabilities", "agreement"}
    | {"versions", "data", "description", "notes"}
)
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
    "description": "",
    "notes": "November",
    "tags": ["line-2"],
    "digest": "5f0e6c0d0a2f4b0f8e0c5c6f1f7c2b7f0c9f6c0d0a2f4b0f8e0c5c6f1f7c2b7f",
    "saved_at": "2026-11-24T12:04:32.004Z",
    "saved_by": "trainer-1",
    "selected": True,
}
PAGE = {"models": [EXAMPLE], "total": 1, "next": None}


class Annotations(BaseModel):
    """What people say of a model; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"description": "for line 2", "tags": ["line-2", "winter"]}]}
    )

    description: Annotated[str | None, Field(max_length=4_000)] = None
    notes: Annotated[str | None, Field(max_length=20_000)] = None
    tags: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]] | None,
        Field(max_length=50, description="The model's only tags from then on."),
    ] = None
    metadata: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Scalar],
        Field(max_length=50, description="Further keys; what training found cannot be set."),
    ] = {}
    why: Annotated[str, Field(max_length=2_000, description="Kept in the history.")] = ""


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
        "notes": "",
        **model.metadata,
        "name": model.name,
        "tags": list(model.tags),
        "digest": model.digest,
        "saved_at": model.saved_at,
        "saved_by": model.saved_by,
        "selected": state.selection is not None and state.selection.model == model.name,
    }


def tagged(response: Response, state: State) -> None:
    response.headers["ETag"] = f'"{state.etag}"'


@router.get(
    "",
    summary="The registered models, filtered, sorted, in pages",
    description="`sort` is name, saved_at, model_type, rank, selected or the name of a metric (of the hold-out where "
    "the model has one, else of the cross-validation); those without a value come last.",
    responses={200: {"content": {"application/json": {"example": PAGE}}}},
    **needs("viewer"),
)
def list_models(
    request: Request,
    response: Response,
    q: Annotated[str, Query(description="Text in the name, whatever its case.", max_length=64)] = "",
    model_type: Annotated[str | None, Query(max_length=64)] = None,
    tag: Annotated[str | None, Query(max_length=64)] = None,
    run: Annotated[str | None, Query(max_length=64, description="Of this training run.")] = None,
    served_by: Annotated[Literal["onnx", "pipeline"] | None, Query()] = None,
    sort: Annotated[str, Query(max_length=64, examples=["F1"])] = "saved_at",
    order: Annotated[Literal["asc", "desc"], Query()] = "desc",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="`next` of the page before.")] = 0,
) -> dict[str, Any]:
    state = request.app.state.services.registry.sync()
    tagged(response, state)
    found = [
        model
        for model in state.models.values()
        if q.lower() in model.name.lower()
        and (tag is None or tag in model.tags)
        and (model_type is None or model.metadata.get("model_type") == model_type)
        and (run is None or model.metadata.get("run") == run)
        and (served_by is None or model.metadata.get("served_by") == served_by)
    ]
    page = _sorted(found, _key(sort, state), order == "desc")[offset : offset + limit]
    end = offset + limit
    return {
        "models": [describe(model, state) for model in page],
        "total": len(found),
        "next": end if end < len(found) else None,
    }


@router.get(
    "/{name}",
    summary="One model",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404)},
    **needs("viewer"),
)
def show_model(name: Name, request: Request, response: Response) -> dict[str, Any]:
    state = request.app.state.services.registry.sync()
    shown = describe(state.model(name), state)
    tagged(response, state)
    return shown


@router.patch(
    "/{name}",
    summary="Annotate a model: description, notes, tags, further keys; the model itself never changes",
    description="`If-Match` is needed: what others wrote meanwhile is never overwritten unseen.",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404, 412, 428)},
    **needs("operator"),
)
def annotate_model(
    name: Name, annotations: Annotations, request: Request, response: Response, if_match: IfMatch = None
) -> dict[str, Any]:
    if not if_match:
        raise PreconditionRequired("send If-Match with the ETag of what you read (GET of the model shows it)")
    if bad := sorted(FIXED & set(annotations.metadata)):
        raise InvalidInput(f"metadata.{bad[0]}: it is not set by hand, or has a field of its own")
    registry = request.app.state.services.registry
    before = registry.sync()
    model = before.model(name)
    given = {
        key: value
        for key, value in (("description", annotations.description), ("notes", annotations.notes))
        if value is not None
    }
    changed = {**annotations.metadata, **given}
    after = registry.amend(name, changed, annotations.tags, by=who(request), why=annotations.why, if_match=if_match)
    state = registry.state
    old, new = describe(model, before), describe(after, state)
    differing = [key for key in new if new[key] != old.get(key)]
    audit(request, "model annotated", name, {k: old.get(k) for k in differing}, {k: new[k] for k in differing})
    tagged(response, state)
    return new


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a model; the selected one is refused. Its files go with a later collection",
    responses=responses(404, 409, 412),
    **needs("admin"),
)
def delete_model(name: Name, request: Request, if_match: IfMatch = None) -> Response:
    registry = request.app.state.services.registry
    state = registry.sync()
    before = describe(state.model(name), state)
    registry.delete(name, by=who(request), if_match=if_match)
    audit(request, "model deleted", name, before)
    return Response(status_code=204)


def _key(sort: str, state: State) -> Callable[[Model], Any]:
    if sort == "name":
        return lambda model: model.name
    if sort == "saved_at":
        return lambda model: (model.saved_at, model.seq)
    if sort == "selected":
        return lambda model: state.selection is not None and state.selection.model == model.name
    if sort in FACTS:
        return lambda model: model.metadata.get(sort)

    def metric(model: Model) -> Any:
        for kind in ("holdout", "metrics"):
            found = model.metadata.get(kind)
            if isinstance(found, dict) and isinstance(found.get(sort), int | float):
                return found[sort]
        return None

    return metric


def _sorted(models: Sequence[Model], key: Callable[[Model], Any], descending: bool) -> list[Model]:
    keyed = [(key(model), model) for model in models]
    known = [pair for pair in keyed if pair[0] is not None]
    try:
        known.sort(key=lambda pair: pair[0], reverse=descending)
    except TypeError:  # metadata is anybody's: a rank that is a text
        known.sort(key=lambda pair: str(pair[0]), reverse=descending)
    return [model for _, model in known] + [model for value, model in keyed if value is None]
