"""The page of all models, and the page to import one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import File, Form, Query, Response, UploadFile

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.existing import known_runs
from admin.console.page import go, pages, show, signed_in
from admin.console.said import Said
from admin.console.visitor import Visiting
from admin.console.words import people
from operations.acts import models as acts
from operations.views.comparison import axis_of
from operations.views.models import BY_STATE, ModelRow, model_rows, model_types, newest_run
from operations.views.plant import PlantView
from registry.listing import Query as Listed

router = pages("models")
imports = pages("import")

PAGE_ROWS = 50
Sort = Literal["saved", "name", "state", "type", "f1", "auc", "rank", "served"]
Order = Literal["asc", "desc"]
SORTS: Mapping[Sort, str] = {
    "saved": "saved_at",
    "name": "name",
    "state": BY_STATE,
    "type": "model_type",
    "f1": "score.F1",
    "auc": "score.AUC",
    "rank": "rank",
    "served": "served_by",
}
USUAL_ORDER: Mapping[Sort, Order] = {"saved": "desc", "f1": "desc", "auc": "desc"}  # the others: ascending


@dataclass(frozen=True, slots=True)
class Models:
    rows: list[ModelRow]
    total: int  # models that match
    offset: int
    types: list[str]
    newest_run: str | None  # of the newest model; None if it has no page
    linked: frozenset[str]  # runs that have a page
    q: str
    type: str
    state: str
    sort: Sort
    order: Order
    links: dict[str, str]  # sort key to path; that of the present one turns the order around
    before: str | None  # path of the previous page
    after: str | None
    now: PlantView
    names: dict[str, str]  # of people
    may_import: bool

    @property
    def axis(self) -> tuple[float, float]:
        """A range that shows all intervals."""
        return axis_of([row.interval for row in self.rows if row.interval])


@router.get("", **needs("viewer"))
def show_models(
    console: Shown,
    visitor: Visiting,
    q: Annotated[str, Query(max_length=64)] = "",
    type: Annotated[str, Query(max_length=64)] = "",  # noqa: A002 - a name in URLs
    state: Literal["", "selected", "before", "never"] = "",
    sort: Sort = "saved",
    order: Annotated[Order | None, Query()] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    registry, key = console.services.registry, signed_in(visitor)
    equal = (("model_type", type),) if type else ()
    order = order or usual_order(sort)
    by = SORTS[sort] if order == "asc" else f"-{SORTS[sort]}"
    rows, total = model_rows(registry, Listed(by, equal, text=q), PAGE_ROWS, offset, state or None)

    def path(by: Sort = sort, order: Order = order, offset: int = 0) -> str:
        shown_order = "" if order == usual_order(by) else order
        asked = {"q": q, "type": type, "state": state, "sort": by, "order": shown_order, "offset": offset}
        kept = {
            key: value for key, value in asked.items() if value not in ("", 0) and (key, value) != ("sort", "saved")
        }
        return f"/console/models?{urlencode(kept)}" if kept else "/console/models"

    newest = newest_run(registry)
    found = known_runs(console, (newest, *(row.run for row in rows)))
    context = Models(
        rows,
        total,
        offset,
        model_types(registry),
        newest if newest in found else None,
        found,
        q,
        type,
        state,
        sort,
        order,
        {name: path(name, usual_order(name) if name != sort else turned(order)) for name in SORTS},
        path(offset=max(0, offset - PAGE_ROWS)) if offset else None,
        path(offset=offset + PAGE_ROWS) if offset + PAGE_ROWS < total else None,
        console.plant.read(),
        people(console.services, key.role),
        key.may("admin"),
    )
    return show(console, visitor, "models/page.html", context, section="models")


def usual_order(sort: Sort) -> Order:
    """The order at the first press of a column's header."""
    return USUAL_ORDER.get(sort, "asc")


def turned(order: Order) -> Order:
    return "asc" if order == "desc" else "desc"


@dataclass(frozen=True, slots=True)
class Import:
    limit: int  # bytes


@imports.get("", **needs("admin"))
def show_import(console: Shown, visitor: Visiting) -> Response:
    context = Import(console.services.settings.api.max_upload_bytes)
    return show(console, visitor, "models/import.html", context, section="models")


@imports.post("", **needs("admin", large_body=True))
def import_model(
    console: Shown,
    actor: Acting,
    file: Annotated[UploadFile, File()],
    name: Annotated[str, Form(max_length=64)] = "",
    why: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    limit = console.services.settings.api.max_upload_bytes
    shown = acts.register(
        actor, console.services.registry, file.file.read(limit + 1), limit, name=name.strip() or None, why=why
    )
    return go(f"/console/models/{shown['name']}", Said("imported", shown["name"]))


ROUTERS = (
    router,
    imports,
)
