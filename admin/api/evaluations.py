"""/v1/evaluations: evaluates models on the same labeled readings, side by side."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.document.answers import answer
from admin.document.problems import responses
from admin.services import Held
from operations.acts import evaluations as acts
from registry.evaluation.side_by_side import Evaluation
from zelador.table.times import times_of

router = APIRouter(route_class=Route, prefix="/v1/evaluations", tags=["models"])

ROWS = 200_000
Text = Annotated[str, Field(max_length=256)]

EXAMPLE = {
    "at": "2026-11-24T11:58:38.000Z",
    "by_whom": "key 4f2a91c0",
    "data": {"source": "may.csv", "digest": "9c56cc51", "rows": 1500, "classes": {"fault": 75, "normal": 1425},
             "notes": []},
    "positive": "fault",
    "by": "device and time",
    "blocks": 24,
    "no_intervals": None,
    "models": [
        {
            "name": "RandomForest_20261124_115838",
            "digest": "5f0e6c0d",
            "metrics": {"F1": 0.8535},
            "intervals": {"F1": [0.79, 0.9]},
            "confusion": {"labels": ["fault", "normal"], "counts": [[60, 15], [6, 1419]]},
            "differences": None,
            "notes": [],
        }
    ],
}  # fmt: skip


class WantedEvaluation(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "models": ["RandomForest_20261124_115838"],
                    "readings": [
                        {"lux": 412.0, "temperature": 61.4, "vibration": 3.82},
                        {"lux": 405.0, "temperature": 44.9, "vibration": 0.41},
                    ],
                    "labels": ["yes", "no"],
                    "keep": False,
                }
            ]
        },
    )

    models: Annotated[
        list[Text], Field(min_length=1, max_length=10, description="Names of the models; the first is the reference.")
    ]
    readings: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=ROWS, description="The readings: a number for each feature of the models."),
    ]
    labels: Annotated[
        list[str | int | float | bool | None],
        Field(max_length=ROWS, description="The known label of each reading; null without one."),
    ]
    devices: Annotated[
        list[Text] | None, Field(max_length=ROWS, description="The device of each reading, for the intervals.")
    ] = None
    times: Annotated[
        list[str | int | float] | None,
        Field(max_length=ROWS, description="The time of each reading: ISO 8601, or an epoch in s, ms, µs or ns."),
    ] = None
    positive: Annotated[Text | None, Field(description="The positive one of two classes; the rarer by default.")] = None
    source: Annotated[Text, Field(description="Source of the readings, such as a file's name.")] = "the API"
    digest: Annotated[
        str | None, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of that file; of the readings by default.")
    ] = None
    notes: Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=100, description="Notes.")] = []
    keep: Annotated[bool, Field(description="Keep the result with each model.")] = True

    @model_validator(mode="after")
    def _same_length(self) -> WantedEvaluation:
        for name, each in (("labels", self.labels), ("devices", self.devices), ("times", self.times)):
            if each is not None and len(each) != len(self.readings):
                raise ValueError(f"{name} has {len(each)} items, and there are {len(self.readings)} readings")
        return self


@router.post(
    "",
    summary="Evaluate models on labeled readings, side by side",
    description="All models get the same readings. Intervals come from a bootstrap over blocks of device and time, "
    "or over rows if neither is given. Each model keeps its part, unless `keep` is false.",
    responses={**answer(200, "Metrics, intervals, and differences to the first.", EXAMPLE), **responses(404, 409)},
    **needs("operator", large_body=True),
)
def evaluate(wanted: WantedEvaluation, services: Held, actor: Acting) -> Evaluation:
    times = None if wanted.times is None else times_of(wanted.times)[0]
    rows = acts.Labeled(
        wanted.readings,
        wanted.labels,
        wanted.source,
        wanted.digest or hashlib.sha256(msgspec.json.encode([wanted.readings, wanted.labels])).hexdigest(),
        wanted.devices,
        times,
        wanted.notes,
    )

    def classify(name: str, readings: Any) -> Any:
        return services.classifiers.classify(name, list(readings))

    kept_by = actor if wanted.keep else None
    return acts.evaluate(
        kept_by, services.registry, classify, wanted.models, rows, services.settings, actor.name, wanted.positive
    )
