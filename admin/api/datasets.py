"""/v1/datasets: describes the readings before training on them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.document.answers import answer, location
from admin.document.problems import responses
from admin.services import Held
from operations.acts import datasets as acts
from operations.views import dataset_charts as charts
from operations.views import datasets as views
from operations.views.dataset_description import DescriptionView
from operations.views.datasets import CachedView, DatasetView
from zelador.errors import NotFound

router = APIRouter(route_class=Route, prefix="/v1/datasets", tags=["datasets"])

ID = "4f2a91c03f5a91c04f2a91c0"
QUERY: dict[str, JsonValue] = {
    "from": "2026-11-01T00:00:00.000Z",
    "to": "2026-11-24T00:00:00.000Z",
    "devices": ["press-*"],
}
EXAMPLE = {
    "id": ID,
    "query": {**QUERY, "features": ["lux", "temperature", "vibration"], "cap": 100_000, "fewest": 9,
              "labels_at": "2026-11-26T09:12:00.120Z", "arrived_to": "1795727100000-0"},
    "source": "the archive with the buffer",
    "digest": "c271d3fc8c0ccb7308ca4655acb84500cf528db2db74234a0581725973f80324",
    "rows": 100_000,
    "labeled": 4_147_200,
    "classes": {"no": 95_010, "yes": 4_990},
    "features": ["lux", "temperature", "vibration"],
    "notes": ["100000 of 4147200 rows, drawn from each class and block of time (ZELADOR_TRAINING__MAX_ROWS)"],
    "cache": "miss",
    "age_s": 0.0,
    "loaded_at": "2026-11-26T09:12:01.900Z",
    "seconds": 1.8,
}  # fmt: skip
DESCRIPTION = {
    "rows": 4_147_200,
    "devices": 2,
    "from": "2026-11-01T00:00:00.000Z",
    "to": "2026-11-23T23:59:59.000Z",
    "classes": {"no": 4_142_210, "yes": 4_990},
    "unlabeled": 0,
    "by_device": {"press-07": {"no": 2_068_610, "yes": 4_990}, "press-08": {"no": 2_073_600}},
    "by_day": {"2026-11-01": {"no": 172_800}},
    "interval_s": 1.0,
    "gaps": [],
    "gap_count": 0,
    "features": [{"name": "lux", "missing": 0, "out_of_range": 0, "constant": False, "lowest": 380.1, "median": 401.0,
                  "highest": 430.9, "mean": 400.7, "autocorrelation": 0.93, "block_rows": 64}],
    "duplicates": 0,
    "correlations": [{"one": "lux", "other": "temperature", "r": 0.12}],
    "histograms": [{"feature": "lux", "edges": [380.0, 405.0, 430.0], "counts": {"no": [700, 300], "yes": [3, 9]}}],
    "pairs": {"features": ["lux", "temperature"], "labels": ["yes"], "values": [[402.0, 61.4]]},
    "looked_at": 199_998,
    "findings": [{"kind": "small class", "sentence": "the class yes has 4990 of 4147200 labeled readings",
                  "advice": "collect at least 30 and a hundredth of all, or leave it out with --classes",
                  "feature": None, "device": None}],
}  # fmt: skip
DatasetId = Annotated[str, Path(description="The data set's id.", examples=[ID], max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=512)]
Moment = str | int | float


class WantedDataset(BaseModel):
    """A query: which readings, with the labels that were known at which moment."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"from": QUERY["from"], "devices": QUERY["devices"]}]}
    )

    begin: Annotated[
        Moment | None,
        Field(
            alias="from",
            description="Start of the period in measured time: ISO 8601 (without a zone: in ZELADOR_TIME_ZONE), or an "
            "epoch in s, ms, µs or ns.",
        ),
    ] = None
    end: Annotated[Moment | None, Field(alias="to", description="End of the period, which is not part of it.")] = None
    devices: Annotated[
        list[Name] | None,
        Field(max_length=10_000, description="Only these devices: names, or patterns such as `press-*`."),
    ] = None
    features: Annotated[
        list[Name] | None, Field(min_length=1, max_length=1_000, description="Features; by default, of the settings.")
    ] = None
    labels: Annotated[list[Name] | None, Field(max_length=1_000, description="Only readings with these labels.")] = None
    cap: Annotated[
        int | None,
        Field(
            ge=1, le=1_000_000,
            description="The most rows to train on, drawn by class and block of time; by default, of the settings.",
        ),
    ] = None  # fmt: skip
    fewest: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="A class with fewer rows is left out, if two others are left."),
    ] = None
    source: Annotated[
        Literal["all", "archive", "buffer"] | None, Field(description="Where the readings are; all by default.")
    ] = None
    labels_at: Annotated[
        Moment | None, Field(description="Take the labels of periods as they were at this moment; now by default.")
    ] = None
    arrived_to: Annotated[
        str | None,
        Field(
            pattern=r"^\d{1,20}-\d{1,20}$", max_length=41,
            description="The last entry of the stream that counts; by default the newest.",
        ),
    ] = None  # fmt: skip

    def query(self) -> dict[str, object]:
        """Returns the query, as archive.dataset.query reads it."""
        return self.model_dump(exclude_none=True, by_alias=True)


class LoadedDataset(TypedDict):
    """A data set, and the description of its readings."""

    dataset: Annotated[DatasetView, Field(description="The data set.")]
    description: Annotated[DescriptionView, Field(description="Figures and findings about its readings.")]


class Datasets(TypedDict):
    """The cached data sets."""

    datasets: Annotated[list[CachedView], Field(description="Newest first.")]


@router.post(
    "",
    status_code=201,
    summary="Load a data set and describe it",
    description="Reads the archive and the buffer, with the labels of periods. It is kept for "
    "`ZELADOR_DATASETS__CACHE_S`, or until something arrives: `cache` and `age_s` say whether it was loaded before. "
    "`POST /v1/runs` with its `query` trains on the same rows.",
    responses={
        **answer(201, "The data set.", {"dataset": EXAMPLE, "description": DESCRIPTION},
                 location("URL of the data set.", f"/v1/datasets/{ID}")),
        **responses(503),
    },
    **needs("operator"),
)  # fmt: skip
def load_dataset(wanted: WantedDataset, services: Held, response: Response) -> LoadedDataset:
    found = services.datasets.load(wanted.query())
    response.headers["Location"] = f"/v1/datasets/{found.meta.id}"
    return {"dataset": views.shown(found), "description": views.description_of(found)}


@router.get(
    "",
    summary="List the data sets that are kept, newest first",
    responses=answer(200, "The data sets.", {"datasets": [{**EXAMPLE, "bytes": 6_400_000, "described": True}]}),
    **needs("viewer"),
)
def list_datasets(services: Held) -> Datasets:
    return {"datasets": views.cached(services.settings)}


@router.get(
    "/{dataset}",
    summary="Get a loaded data set, while it is cached",
    responses={**answer(200, "The data set.", {"dataset": EXAMPLE, "description": DESCRIPTION}), **responses(404)},
    **needs("viewer"),
)
def show_dataset(dataset: DatasetId, services: Held) -> LoadedDataset:
    found = services.datasets.find(dataset)
    return {"dataset": views.shown(found), "description": views.description_of(found)}


@router.get(
    "/{dataset}/histograms/{feature}",
    summary="Draw the histogram of a feature by class, as SVG",
    response_class=Response,
    responses={
        200: {"description": "The drawing.", "content": {"image/svg+xml": {"schema": {"type": "string"}}}},
        **responses(404),
    },
    **needs("viewer"),
)
def draw_histogram(
    dataset: DatasetId,
    feature: Annotated[str, Path(description="The feature.", examples=["lux"], max_length=512)],
    services: Held,
) -> Response:
    found = views.description_of(services.datasets.find(dataset))
    one = next((each for each in found["histograms"] if each["feature"] == feature), None)
    if one is None:
        raise NotFound(f"the data set {dataset[:40]} has no feature {feature[:80]!r} with values")
    return Response(charts.histogram(one), media_type="image/svg+xml")


@router.delete(
    "/{dataset}",
    status_code=204,
    summary="Remove a loaded data set; it is loaded again when needed",
    responses={204: {"description": "It is not kept any more."}, **responses(404)},
    **needs("operator"),
)
def drop_dataset(dataset: DatasetId, services: Held, actor: Acting) -> Response:
    acts.drop(actor, services.settings, dataset)
    return Response(status_code=204)
