"""POST /v1/models: registers a model that comes as one file, as GET /v1/models/{name}/archive gives it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Response
from starlette.exceptions import HTTPException

from admin.access.identity import Acting
from admin.access.roles import Route, needs
from admin.api.models import EXAMPLE, tagged
from admin.document.answers import ETAG, answer, location
from admin.document.problems import responses
from admin.services import Held
from operations.acts import models as acts
from registry.facts import Model

router = APIRouter(route_class=Route, prefix="/v1/models", tags=["models"])

AT = {**ETAG, **location("Of the model.", "/v1/models/RandomForest_20261124_115838")}


@router.post(
    "",
    status_code=201,
    summary="Register a model by upload",
    description="The body is a zip of manifest.json and the files that it names: model.skops, model.onnx where it is "
    "served, golden.json, agreement.json, report/…. It is audited against the allow-list, loaded, and asked its golden "
    "rows, of which there must be some, in a process of its own with limits on memory and time; an archive that "
    "exceeds them is refused within 30 seconds. A pickle is refused. So is a pipeline in LightGBM's own format, unless "
    "a signing key of this registry signed the archive; a model that is served by its ONNX file is then registered "
    "without its pipeline. The size is limited by `ZELADOR_API__MAX_UPLOAD_BYTES`, packed and unpacked.",
    responses={**answer(201, "The model as it is registered.", EXAMPLE, AT), **responses(409, 413, 415)},
    **needs("admin", large_body=True),
)
def register_model(
    services: Held,
    actor: Acting,
    response: Response,
    data: Annotated[bytes, Body(media_type="application/zip")],
    name: Annotated[str | None, Query(max_length=64, description="Without it, the name in the manifest.")] = None,
    why: Annotated[str, Query(max_length=2_000, description="Kept in the history.")] = "",
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
) -> Model:
    if content_type.partition(";")[0].strip().lower() != "application/zip":
        raise HTTPException(415, "send the archive as Content-Type: application/zip")
    limit = services.settings.api.max_upload_bytes
    shown = acts.register(actor, services.registry, data, limit, name=name, why=why)
    response.headers["Location"] = f"/v1/models/{shown['name']}"
    tagged(response, services.registry.state)
    return shown
