"""POST /v1/models: registers a model from an archive, as GET /v1/models/{name}/archive returns it."""

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

AT = {**ETAG, **location("URL of the model.", "/v1/models/RandomForest_20261124_115838")}


@router.post(
    "",
    status_code=201,
    summary="Register a model by upload",
    description="The body is a zip of manifest.json and the files that it names: model.skops, model.onnx if the "
    "model is served by it, golden.json, agreement.json, report/…. A separate process with limits on memory and time "
    "checks the files against the allow-list, loads the model and compares its answers to the golden rows. There must "
    "be at least one golden row. An archive that exceeds the limits is refused within 30 seconds. A pickle is "
    "refused. A pipeline in LightGBM's own format is also refused, unless a signing key of this registry signed the "
    "archive; a model that is served by its ONNX file is then registered without its pipeline. "
    "`ZELADOR_API__MAX_UPLOAD_BYTES` limits the size, packed and unpacked.",
    responses={**answer(201, "The registered model.", EXAMPLE, AT), **responses(409, 413, 415)},
    **needs("admin", large_body=True),
)
def register_model(
    services: Held,
    actor: Acting,
    response: Response,
    data: Annotated[bytes, Body(media_type="application/zip")],
    name: Annotated[
        str | None, Query(max_length=64, description="Name of the model; the manifest's name by default.")
    ] = None,
    why: Annotated[str, Query(max_length=2_000, description="The reason, stored in the history.")] = "",
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
) -> Model:
    if content_type.partition(";")[0].strip().lower() != "application/zip":
        raise HTTPException(415, "send the archive as Content-Type: application/zip")
    limit = services.settings.api.max_upload_bytes
    shown = acts.register(actor, services.registry, data, limit, name=name, why=why)
    response.headers["Location"] = f"/v1/models/{shown['name']}"
    tagged(response, services.registry.state)
    return shown
