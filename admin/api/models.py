"""/v1/models: lists, shows, annotates, renames and deletes models."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.document.answers import ETAG, NextOffset, Unchecked, answer, location
from admin.document.problems import PreconditionRequired, responses
from admin.services import Held
from operations.acts import models as acts
from registry.facts import FIXED, Model, describe_model
from registry.listing import Query as Listed
from registry.listing import least as least_of
from registry.log.state import State
from zelador.errors import InvalidInput

router = APIRouter(route_class=Route, prefix="/v1/models", tags=["models"])

Name = Annotated[str, InPath(description="The model's name.", examples=["RandomForest_20261124_115838"])]
IfMatch = Annotated[str | None, Header(description="ETag of the state that the change is based on.", max_length=100)]
Scalar = bool | int | float | Annotated[str, Field(max_length=4_000)] | None

MAX_AMENDMENT = 32_768  # bytes of an annotation as JSON
OWN_FIELDS = FIXED | {"description", "notes"}  # not settable through `metadata`: immutable, or separate fields
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
AT = {**ETAG, **location("URL of the model from now on.", f"/v1/models/{EXAMPLE['name']}", "Content-Location")}


class ModelPage(TypedDict):
    """A page of models."""

    models: Annotated[list[Model], Unchecked(), Field(description="In the requested order.")]
    total: Annotated[int, Field(description="Number of models on all pages.")]
    next: NextOffset


class Amendment(BaseModel):
    """Annotations of a model, or a new name. Omitted fields do not change."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"description": "for line 2", "tags": ["line-2", "winter"]}]}
    )

    name: Annotated[
        str | None, Field(max_length=64, description="New name; it must be free, and the model not selected.")
    ] = None
    description: Annotated[str | None, Field(max_length=4_000, description="What the model is, in a line or two.")] = (
        None
    )
    notes: Annotated[str | None, Field(max_length=20_000, description="Free text.")] = None
    tags: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]] | None,
        Field(max_length=50, description="Tags; they replace all current tags."),
    ] = None
    metadata: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Scalar],
        Field(max_length=50, description="Further keys; values that training recorded cannot be set."),
    ] = {}
    why: Annotated[str, Field(max_length=2_000, description="The reason, stored in the history.")] = ""

    @model_validator(mode="after")
    def _bounded(self) -> Amendment:
        """Limits the bytes: the log keeps every amendment for good, and a character may take four bytes."""
        if len(self.model_dump_json().encode("utf-8", "surrogatepass")) > MAX_AMENDMENT:
            raise ValueError(f"an annotation may have at most {MAX_AMENDMENT:,} bytes in all; shorten it")
        return self


def tagged(response: Response, state: State) -> None:
    response.headers["ETag"] = f'"{state.etag}"'


@router.get(
    "",
    summary="List models, filtered and sorted",
    description="`sort` is name, saved_at, saved_by or a dotted key of the metadata (rank, model_type, metrics.F1, "
    "holdout.F1), or score.F1: on held-out readings, else of cross-validation. A leading `-` sorts in descending "
    "order. Models without a value come last.",
    responses=answer(200, "A page of models.", PAGE, ETAG),
    **needs("viewer"),
)
def list_models(
    services: Held,
    response: Response,
    q: Annotated[
        str, Query(description="Only models with this text in their name, description, notes or tags.", max_length=64)
    ] = "",
    model_type: Annotated[
        str | None, Query(max_length=64, description="Only models of this type.", examples=["RandomForest"])
    ] = None,
    tag: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Query(max_length=10, description="Only models with all of these tags."),
    ] = [],  # noqa: B006
    run: Annotated[str | None, Query(max_length=64, description="Only models of this training run.")] = None,
    served_by: Annotated[
        Literal["onnx", "pipeline"] | None, Query(description="The form that live inference runs.")
    ] = None,
    least: Annotated[
        list[Annotated[str, Field(max_length=100, pattern=r"^.+:.+$")]],
        Query(
            max_length=10,
            description="KEY:NUMBER: only models whose value is at least this; all must hold.",
            examples=["holdout.F1:0.9"],
        ),
    ] = [],  # noqa: B006
    sort: Annotated[
        str, Query(max_length=100, description="Sort key, see above.", examples=["-holdout.F1"])
    ] = "-saved_at",
    limit: Annotated[int, Query(ge=1, le=1_000, description="Maximum number of models on the page.")] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="`next` of the previous page.")] = 0,
) -> ModelPage:
    registry = services.registry
    asked = (("model_type", model_type), ("run", run), ("served_by", served_by))
    equal = tuple((key, value) for key, value in asked if value is not None)
    state = registry.sync()  # before the list: an ETag may be older than what is shown (412 then), never newer
    reached = tuple(least_of(text) for text in least)
    found = registry.find(Listed(sort, equal, reached, tuple(tag), q))
    tagged(response, state)
    end = offset + limit
    return {
        "models": [describe_model(model, state) for model in found[offset:end]],
        "total": len(found),
        "next": end if end < len(found) else None,
    }


@router.get(
    "/{name}",
    summary="Get a model",
    responses={**answer(200, "The model.", EXAMPLE, ETAG), **responses(404)},
    **needs("viewer"),
)
def show_model(name: Name, services: Held, response: Response) -> Model:
    state = services.registry.sync()
    shown = describe_model(state.model(name), state)
    tagged(response, state)
    return shown


@router.patch(
    "/{name}",
    summary="Annotate or rename a model: description, notes, tags, further keys, name",
    description="The model itself never changes. `If-Match` is required, so that nobody overwrites changes that they "
    "have not seen. Either all fields are changed, or none. A name that is taken, and renaming the selected model, "
    "are refused (409). After a rename the model is at `Content-Location`; the old URL answers 404 until another "
    "model gets that name.",
    responses={**answer(200, "The changed model.", EXAMPLE, AT), **responses(404, 409, 412, 428)},
    **needs("operator"),
)
def amend_model(
    name: Name, amendment: Amendment, services: Held, actor: Acting, response: Response, if_match: IfMatch = None
) -> Model:
    if not if_match:
        raise PreconditionRequired("send If-Match with the ETag that GET of the model returned")
    if bad := sorted(OWN_FIELDS & set(amendment.metadata)):
        raise InvalidInput(
            f"metadata.{bad[0]}: this key cannot be set here: it is recorded by training, or is a separate field"
        )
    texts = {"description": amendment.description, "notes": amendment.notes}
    metadata = {**amendment.metadata, **{key: text for key, text in texts.items() if text is not None}}
    shown = acts.amend(
        actor,
        services.registry,
        name,
        metadata,
        amendment.tags,
        to=amendment.name,
        why=amendment.why,
        if_match=if_match,
    )
    response.headers["Content-Location"] = f"/v1/models/{shown['name']}"
    tagged(response, services.registry.state)
    return shown


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a model, unless it is selected; a later collection deletes its files",
    responses={**answer(204, "The model is deleted."), **responses(404, 409, 412)},
    **needs("admin"),
)
def delete_model(
    name: Name,
    services: Held,
    actor: Acting,
    why: Annotated[str, Query(max_length=2_000, description="The reason, stored in the history.")] = "",
    if_match: IfMatch = None,
) -> Response:
    acts.delete(actor, services.registry, name, why=why, if_match=if_match)
    return Response(status_code=204)
