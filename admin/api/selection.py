"""/v1/selection: shows and selects the model that classifies readings, and rolls back."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.api import operations
from admin.api.models import IfMatch, tagged
from admin.document.answers import ETAG, answer, location
from admin.document.problems import responses
from admin.services import Held
from operations.acts import selection as acts
from operations.views import rollout
from operations.views.same_test import doubts, warnings
from registry.facts import describe_selection

router = APIRouter(route_class=Route, prefix="/v1/selection", tags=["selection"])
log = logging.getLogger(__name__)

EXAMPLE = {
    "model": "RandomForest_20261124_115838",
    "sequence": 7,
    "by": "key 4f2a91c0",
    "at": "2026-11-24T12:00:01.250Z",
    "why": "best of the run",
    "rolled_back": False,
    "workers": {"live": 3, "of": 3, "refused": []},
}
EXAMPLE_BEGUN = {
    **operations.EXAMPLE,
    "warnings": [
        "it is worse than the selected model on the same readings (F1 -0.061, 95 % interval -0.103 to -0.022)"
    ],
}
BEGUN = answer(
    202,
    "The model is selected; the workers load it within seconds. `Location` is the operation that shows their progress, "
    "and `warnings` says what is against the choice.",
    EXAMPLE_BEGUN,
    {**ETAG, **location("URL of the operation, which shows the progress of this selection.", "/v1/operations/7")},
)
ACCEPTED = answer(
    202,
    "The model is selected; the workers load it within seconds. `Location` is the operation that shows their progress.",
    operations.EXAMPLE,
    {**ETAG, **location("URL of the operation, which shows the progress of this selection.", "/v1/operations/7")},
)


class PresentSelection(TypedDict):
    """The current selection. All fields but `workers` are null while no model has been selected."""

    model: Annotated[str | None, Field(description="The selected model.")]
    sequence: Annotated[int | None, Field(description="The selection's number in the log; unique.")]
    by: Annotated[str | None, Field(description="Who selected it: a key, or a person at the command line.")]
    at: Annotated[str | None, Field(description="When it was selected, ISO 8601, UTC.")]
    why: Annotated[str | None, Field(description="The reason given; may be empty.")]
    rolled_back: Annotated[bool | None, Field(description="True if it was selected by rolling back.")]
    workers: Annotated[
        rollout.Workers | None, Field(description="Counts of workers; null while Redis does not answer.")
    ]


class Choice(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"model": "RandomForest_20261124_115838"}]}
    )

    model: Annotated[str, Field(max_length=64, description="The name of a registered model.")]
    why: Annotated[str, Field(max_length=2_000, description="The reason, stored in the history.")] = ""
    force: Annotated[
        bool, Field(description="Select it although the plant does not send every feature that it needs.")
    ] = False


class Reason(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"why": "more false alarms"}]})

    why: Annotated[str, Field(max_length=2_000, description="The reason, stored in the history.")] = ""
    force: Annotated[
        bool, Field(description="Select it although the plant does not send every feature that it needs.")
    ] = False


@router.get(
    "",
    summary="Get the selected model, and how many workers run it",
    responses=answer(200, "The selection; its fields are null if no model is selected.", EXAMPLE, ETAG),
    **needs("viewer"),
)
def get_selection(services: Held, response: Response) -> PresentSelection:
    state = services.registry.sync()
    tagged(response, state)
    workers = rollout.counted(services.redis, services.prefix, state.selection)
    if state.selection is None:
        return {
            "model": None, "sequence": None, "by": None, "at": None, "why": None, "rolled_back": None,
            "workers": workers,
        }  # fmt: skip
    return {**describe_selection(state.selection), "workers": workers}


@router.put(
    "",
    status_code=202,
    summary="Select a model",
    description="A model that needs a feature which the plant does not send (`ZELADOR_FEATURES`) is refused with 409 "
    "`features-missing`, unless `force` is true. `If-Match` is optional. With it, the model is selected only if the "
    "registry has not changed since. `warnings` in the response says if the model's run did not recommend it, or if it "
    "is worse than the model that was selected, on the same readings.",
    responses={**BEGUN, **responses(404, 409, 412)},
    **needs("operator"),
)
def select_model(
    choice: Choice, services: Held, actor: Acting, response: Response, if_match: IfMatch = None
) -> operations.Begun:
    features, force = services.settings.features, choice.force
    found = doubts(services.registry.sync(), choice.model)
    selection = acts.select(
        actor, services.registry, choice.model, features, force=force, why=choice.why, if_match=if_match
    )
    tagged(response, services.registry.state)
    return {**operations.begun(services, selection, response), "warnings": warnings(found)}


@router.post(
    "/rollback",
    status_code=202,
    summary="Roll back: select the previously selected model",
    description="Each call goes one selection further back. Deleted models are skipped. A previous model that "
    "the plant cannot feed is refused with 409 `features-missing`, unless `force` is true. `If-Match` is optional. "
    "With it, the rollback is made only if the registry has not changed since.",
    responses={**ACCEPTED, **responses(409, 412)},
    **needs("operator"),
)
def roll_back(
    services: Held, actor: Acting, response: Response, reason: Reason | None = None, if_match: IfMatch = None
) -> operations.Operation:
    given = reason or Reason()
    selection = acts.roll_back(
        actor, services.registry, services.settings.features, force=given.force, why=given.why, if_match=if_match
    )
    tagged(response, services.registry.state)
    return operations.begun(services, selection, response)
