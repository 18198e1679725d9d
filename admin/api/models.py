"""/v1/models: what is registered: list, show, annotate and rename, delete."""

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
from registry.facts import FIXED, Model, facts_of
from registry.listing import Query as Listed
from registry.listing import least as least_of
from registry.log.state import State
from zelador.errors import InvalidInput

router = APIRouter(route_class=Route, prefix="/v1/models", tags=["models"])

Name = Annotated[str, InPath(description="The model's name.", examples=["RandomForest_20261124_115838"])]
IfMatch = Annotated[
    str | None, Header(description="The ETag of the state that the change was decided on.", max_length=100)
]
Scalar = bool | int | float | Annotated[str, Field(max_length=4_000)] | None

MAX_AMENDMENT = 32_768  # bytes of an annotation as JSON
OWN_FIELDS = FIXED | {"description", "notes"}  # not among the further keys: set once, or by a field of their own
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
AT = {**ETAG, **location("Of the model from now on.", f"/v1/models/{EXAMPLE['name']}", "Content-Location")}


class ModelPage(TypedDict):
    """A page of the models that were asked for."""

    models: Annotated[list[Model], Unchecked(), Field(description="In the order that was asked for.")]
    total: Annotated[int, Field(description="Models in all pages.")]
    next: NextOffset


class Amendment(BaseModel):
    """What people say of a model and what they call it; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"description": "for line 2", "tags": ["line-2", "winter"]}]}
    )

    name: Annotated[
        str | None, Field(max_length=64, description="Its name from then on, one that is free; not of the selected.")
    ] = None
    description: Annotated[str | None, Field(max_length=4_000, description="What it is, in a line or two.")] = None
    notes: Annotated[str | None, Field(max_length=20_000, description="Whatever is worth keeping with it.")] = None
    tags: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]] | None,
        Field(max_length=50, description="The model's only tags from then on."),
    ] = None
    metadata: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], Scalar],
        Field(max_length=50, description="Further keys; what training found cannot be set."),
    ] = {}
    why: Annotated[str, Field(max_length=2_000, description="Kept in the history.")] = ""

    @model_validator(mode="after")
    def _bounded(self) -> Amendment:
        """Each stays in the registry's log for good; characters alone bound it by four times as much."""
        if len(self.model_dump_json().encode("utf-8", "surrogatepass")) > MAX_AMENDMENT:
            raise ValueError(f"an annotation may have {MAX_AMENDMENT:,} bytes in all; shorten what is noted")
        return self


def tagged(response: Response, state: State) -> None:
    response.headers["ETag"] = f'"{state.etag}"'


@router.get(
    "",
    summary="The registered models, filtered, sorted, in pages",
    description="`sort` is name, saved_at, saved_by or a key of the metadata, dotted (rank, model_type, metrics.F1, "
    "holdout.F1), with `-` before it the largest first; those without a value come last.",
    responses=answer(200, "A page of the models that were asked for.", PAGE, ETAG),
    **needs("viewer"),
)
def list_models(
    services: Held,
    response: Response,
    q: Annotated[str, Query(description="Text in the name or the description.", max_length=64)] = "",
    model_type: Annotated[
        str | None, Query(max_length=64, description="Of this type.", examples=["RandomForest"])
    ] = None,
    tag: Annotated[list[Annotated[str, Field(max_length=64)]], Query(max_length=10, description="All of them.")] = [],  # noqa: B006
    run: Annotated[str | None, Query(max_length=64, description="Of this training run.")] = None,
    served_by: Annotated[Literal["onnx", "pipeline"] | None, Query(description="What live inference runs.")] = None,
    least: Annotated[
        list[Annotated[str, Field(max_length=100, pattern=r"^.+:.+$")]],
        Query(max_length=10, description="KEY:NUMBER, all of them: those that reach it.", examples=["holdout.F1:0.9"]),
    ] = [],  # noqa: B006
    sort: Annotated[str, Query(max_length=100, description="See above.", examples=["-holdout.F1"])] = "-saved_at",
    limit: Annotated[int, Query(ge=1, le=1_000, description="Models in a page.")] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="`next` of the page before.")] = 0,
) -> ModelPage:
    registry = services.registry
    asked = (("model_type", model_type), ("run", run), ("served_by", served_by))
    equal = tuple((key, value) for key, value in asked if value is not None)
    state = registry.sync()  # before the list: an ETag that is older than what is shown is refused, never the reverse
    reached = tuple(least_of(text) for text in least)
    found = registry.find(Listed(sort, equal, reached, tuple(tag), q))
    tagged(response, state)
    end = offset + limit
    return {
        "models": [facts_of(model, state) for model in found[offset:end]],
        "total": len(found),
        "next": end if end < len(found) else None,
    }


@router.get(
    "/{name}",
    summary="One model",
    responses={**answer(200, "The model.", EXAMPLE, ETAG), **responses(404)},
    **needs("viewer"),
)
def show_model(name: Name, services: Held, response: Response) -> Model:
    state = services.registry.sync()
    shown = facts_of(state.model(name), state)
    tagged(response, state)
    return shown


@router.patch(
    "/{name}",
    summary="Annotate or rename a model: description, notes, tags, further keys, name; the model itself never changes",
    description="`If-Match` is needed: what others wrote meanwhile is never overwritten unseen. All of it holds, "
    "or none of it. A name that is taken, and the selected model's, are refused (409). From then on the model is at "
    "`Content-Location`, and nothing is at the old address until another model has that name.",
    responses={**answer(200, "The model as it is now.", EXAMPLE, AT), **responses(404, 409, 412, 428)},
    **needs("operator"),
)
def amend_model(
    name: Name, amendment: Amendment, services: Held, actor: Acting, response: Response, if_match: IfMatch = None
) -> Model:
    if not if_match:
        raise PreconditionRequired("send If-Match with the ETag of what you read (GET of the model shows it)")
    if bad := sorted(OWN_FIELDS & set(amendment.metadata)):
        raise InvalidInput(f"metadata.{bad[0]}: it is not set by hand, or has a field of its own")
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
    summary="Delete a model; the selected one is refused. Its files go with a later collection",
    responses={**answer(204, "It is deleted."), **responses(404, 409, 412)},
    **needs("admin"),
)
def delete_model(
    name: Name,
    services: Held,
    actor: Acting,
    why: Annotated[str, Query(max_length=2_000, description="Kept in the history.")] = "",
    if_match: IfMatch = None,
) -> Response:
    acts.delete(actor, services.registry, name, why=why, if_match=if_match)
    return Response(status_code=204)
