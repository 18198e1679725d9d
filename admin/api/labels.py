"""/v1/labels: lists, adds and undoes labels of periods, and imports tables of work orders."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.api.readings import Limit
from admin.document.answers import NextOffset, answer
from admin.document.problems import responses
from admin.services import Held
from operations.acts import labels as acts
from operations.views.labels import FindingView, ImportView, LabelFilter, LabelView, findings_shown
from operations.views.plant import live_labels
from zelador.labels import Source
from zelador.labels.moment import moment
from zelador.labels.rules import MAX_ID, MAX_NOTE, Wish
from zelador.labels.work_orders import named_columns, read_work_orders
from zelador.messages import MAX_LABEL

router = APIRouter(route_class=Route, prefix="/v1/labels", tags=["labels"])

EXAMPLE = {
    "id": "3f5a91c04f2a91c04f2a91c0",
    "device": "press-07",
    "from": "2026-11-24T14:00:00.000Z",
    "to": "2026-11-24T15:10:00.000Z",
    "label": "yes",
    "note": "work order 4471",
    "by": "key 4f2a91c0",
    "at": "2026-11-26T09:12:00.120Z",
    "source": "api",
    "readings": 4_200,
    "undone": False,
    "undone_by": None,
    "undone_at": None,
    "again": None,
}
FINDING = {
    "kind": "overlap",
    "sentence": "press-07 already has the label no in a part of 2026-11-24T14:00:00.000Z to 2026-11-24T15:10:00.000Z",
    "advice": "there, yes counts from now on, because it was added later; undo the one that is wrong",
    "line": None,
}
IMPORTED = {
    "preview": True,
    "added": 1,
    "known": 0,
    "readings": 4_200,
    "classes": {"yes": 1},
    "columns": {"device": "asset", "from": "start", "to": "end", "label": "state"},
    "labels": [EXAMPLE],
    "faults": [{"line": 7, "reason": "from is missing"}],
    "refused": 1,
    "findings": [FINDING],
    "notes": [],
}
LabelId = Annotated[str, InPath(description="The label's id.", examples=["3f5a91c04f2a91c04f2a91c0"])]


class LabelPage(TypedDict):
    """A page of labels."""

    labels: Annotated[list[LabelView], Field(description="Newest first.")]
    total: Annotated[int, Field(description="Number of labels on all pages.")]
    next: NextOffset


class AddedLabel(TypedDict):
    """A label that was added."""

    label: Annotated[LabelView, Field(description="The label.")]
    findings: Annotated[list[FindingView], Field(description="Anything odd about the label, which still counts.")]


class NewLabel(BaseModel):
    """A label of a period of a device."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=False,
        json_schema_extra={
            "examples": [
                {
                    "device": "press-07",
                    "from": "2026-11-24T14:00:00Z",
                    "to": "2026-11-24T15:10:00Z",
                    "label": "yes",
                    "note": "work order 4471",
                }
            ]
        },
    )

    device: Annotated[str, Field(description="The device's id, as in the topic.", max_length=512)]
    begin: Annotated[
        str | int | float,
        Field(
            alias="from",
            description="Start of the period in measured time: ISO 8601 (without a zone: in ZELADOR_TIME_ZONE), or an "
            "epoch in s, ms, µs or ns.",
        ),
    ]
    end: Annotated[
        str | int | float | None,
        Field(alias="to", description="End of the period, exclusive; null or absent: until further notice."),
    ] = None
    label: Annotated[
        str | bool | int | float,
        Field(description=f"The label; text of up to {MAX_LABEL} characters, number or boolean."),
    ]
    note: Annotated[str, Field(description="What you want to remember, such as a work order.", max_length=MAX_NOTE)] = (
        ""
    )
    id: Annotated[
        str | None,
        Field(description="An id of your own; by default a digest of the label.", min_length=1, max_length=MAX_ID),
    ] = None


@router.get(
    "",
    summary="List the labels of periods, newest first",
    description="`readings` counts the readings in the archive and the buffer that a label touches. While readings "
    "arrive, it may be a minute old.",
    responses=answer(200, "A page of labels.", {"labels": [EXAMPLE], "total": 1, "next": None}),
    **needs("viewer"),
)
def list_labels(
    services: Held,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the previous page.")] = 0,
    device: Annotated[str | None, Query(description="Only labels of this device.", max_length=512)] = None,
    label: Annotated[str | None, Query(description="Only labels with this text.", max_length=MAX_LABEL)] = None,
    source: Annotated[Source | None, Query(description="Only labels that came this way.")] = None,
    by: Annotated[str | None, Query(description="Only labels that this person or key added.", max_length=200)] = None,
    q: Annotated[str, Query(description="A text in the device's id or the note.", max_length=200)] = "",
    undone: Annotated[bool, Query(alias="all", description="Also labels that were undone.")] = False,
) -> LabelPage:
    wanted = LabelFilter(device, label, source, by, q.strip(), undone=undone)
    found, total = services.label_views.page(limit, offset, wanted)
    end = offset + limit
    return {"labels": found, "total": total, "next": end if end < total else None}


@router.post(
    "",
    status_code=201,
    summary="Label a period of a device",
    description="It applies to readings that have arrived and to those that will. It overrides labels that were added "
    "earlier, and labels in messages. A word that the console shows for a class of the plant, such as sim for yes, "
    "is read as that class, and a label that the plant does not have yet is named in the findings.",
    responses={**answer(201, "The label.", {"label": EXAMPLE, "findings": [FINDING]}), **responses(409)},
    **needs("operator"),
)
def add_label(body: NewLabel, services: Held, actor: Acting) -> AddedLabel:
    settings = services.settings
    begin = moment(body.begin, settings, "from")
    end = None if body.end is None else moment(body.end, settings, "to")
    wish = Wish(body.device, begin, end, body.label, body.note, body.id)
    done = acts.add(actor, services.labels, settings, wish, "api", live_labels(services.registry))
    (shown,) = services.label_views.views([done.label])
    return {"label": shown, "findings": findings_shown(done.findings)}


@router.post(
    "/import",
    summary="Import a table of labels, such as work orders",
    description="The body is the table: CSV in any dialect, JSON lines, Parquet or Arrow. All rows are added, or none: "
    "a row that cannot be a label refuses the table, unless `skip` leaves such rows out. Rows that are in the list "
    "already are counted and change nothing, so that a growing table can be imported again. `preview` only says what "
    "would be done. Words such as sim and não are read as the plant's yes and no; the findings say so, and name labels "
    "that the plant does not have yet.",
    responses={**answer(200, "What was done, or would be.", IMPORTED), **responses(409)},
    **needs("operator"),
)
def import_labels(
    services: Held,
    actor: Acting,
    data: Annotated[bytes, Body(media_type="application/octet-stream", description="The table.")],
    columns: Annotated[
        str | None,
        Query(
            max_length=1_000,
            description="Which column is what: device=asset,from=start,to=end,label=state,note=order,id=number; "
            "by default guessed by their names.",
        ),
    ] = None,
    device: Annotated[str | None, Query(max_length=512, description="The device of all rows.")] = None,
    label: Annotated[str | None, Query(max_length=200, description="The label of all rows.")] = None,
    preview: Annotated[bool, Query(description="Change nothing.")] = False,
    skip: Annotated[bool, Query(description="Leave out rows that cannot be labels.")] = False,
) -> ImportView:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        path.write_bytes(data)
        orders = read_work_orders(path, services.settings, named_columns(columns), device, label, source="the table")
    done = acts.import_table(
        actor, services.labels, services.settings, orders, preview=preview, skip=skip,
        classes=live_labels(services.registry),
    )  # fmt: skip
    return services.label_views.imported(done)


@router.get(
    "/{label}",
    summary="Get a label, also one that was undone",
    responses={**answer(200, "The label.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def show_label(label: LabelId, services: Held) -> LabelView:
    return services.label_views.one(label)


@router.post(
    "/{label}/undo",
    summary="Undo a label: it no longer counts, and stays in the list",
    responses={
        **answer(200, "The label after it.", EXAMPLE | {"undone": True, "readings": 0, "undone_by": "key 4f2a91c0",
                                                        "undone_at": "2026-11-26T10:00:00.000Z"}),
        **responses(404, 409),
    },
    **needs("operator"),
)  # fmt: skip
def undo_label(label: LabelId, services: Held, actor: Acting) -> LabelView:
    acts.undo(actor, services.labels, label)
    return services.label_views.one(label)
