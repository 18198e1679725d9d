"""/v1/models/{name}/files: artefacts and report, by the names that the manifest gives them, never by a path."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath

from registry import archive
from registry.api.models import Name
from registry.api.problems import responses
from registry.api.roles import needs

router = APIRouter(prefix="/v1/models", tags=["models"])

BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
ZIP: dict[str, Any] = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
EXAMPLE = {
    "files": [
        {
            "file": "model.onnx",
            "size": 48_211,
            "sha256": "5f0e6c0d0a2f4b0f8e0c5c6f1f7c2b7f0c9f6c0d0a2f4b0f8e0c5c6f1f7c2b7f",
        }
    ]
}


@router.get(
    "/{name}/files",
    summary="The model's files, with size and SHA-256",
    responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **responses(404)},
    **needs("viewer"),
)
def list_files(name: Name, request: Request) -> dict[str, Any]:
    manifest = request.app.state.services.registry.manifest(name)
    return {"files": [{"file": path, **msgspec.structs.asdict(file)} for path, file in manifest.files.items()]}


@router.get(
    "/{name}/manifest",
    summary="The model's manifest: features with units, classes, metadata, digests",
    responses=responses(404),
    **needs("viewer"),
)
def show_manifest(name: Name, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(request.app.state.services.registry.manifest(name))
    return found


@router.get(
    "/{name}/archive",
    summary="The whole model as one file, which POST /v1/models takes",
    response_class=Response,
    responses={200: {"content": ZIP}, **responses(404)},
    **needs("viewer"),
)
def download_archive(name: Name, request: Request) -> Response:
    registry = request.app.state.services.registry
    manifest = registry.manifest(name)
    data = archive.pack(manifest, {path: registry.file(name, path) for path in manifest.files})
    return _attached(data, f"{manifest.name}.zip", "application/zip")


@router.get(
    "/{name}/files/{file:path}",
    summary="One of the model's files, its digest checked",
    response_class=Response,
    responses={200: {"content": BINARY}, **responses(404)},
    **needs("viewer"),
)
def download_file(
    name: Name,
    file: Annotated[str, InPath(description="As the manifest names it.", examples=["model.onnx"])],
    request: Request,
) -> Response:
    data = request.app.state.services.registry.file(name, file)
    return _attached(data, file.rpartition("/")[2], "application/octet-stream")


def _attached(data: bytes, name: str, kind: str) -> Response:
    """To be saved, whatever it is: a browser shows nothing of it in our name."""
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in name)
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{safe}"'})
