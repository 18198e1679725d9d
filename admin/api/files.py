"""/v1/models/{name}/files: artifacts and report, addressed by their names in the manifest, never by a path."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Response
from fastapi import Path as InPath
from pydantic import Field
from typing_extensions import TypedDict

from admin.access.roles import Route, needs
from admin.api.models import Name
from admin.document.answers import BINARY, answer
from admin.document.problems import responses
from admin.services import Held
from registry.bundle import bundle
from registry.model import manifest

router = APIRouter(route_class=Route, prefix="/v1/models", tags=["models"])

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


MANIFEST = {
    "format": 1,
    "name": "RandomForest_20261124_115838",
    "features": [{"name": "temperature", "unit": "°C", "minimum": 18.2, "maximum": 84.0}],
    "classes": ["no", "yes"],
    "served_by": "onnx",
    "threshold": {"positive": "yes", "value": 0.31},
    "saved_at": "2026-11-24T12:04:32.004Z",
    "metadata": {"model_type": "RandomForest", "metrics": {"F1": 0.8535}},
    "files": {"model.onnx": {"sha256": EXAMPLE["files"][0]["sha256"], "size": 48_211}},
    "signature": "",
}


class File(TypedDict):
    """The digest and the size of a file."""

    sha256: Annotated[str, Field(description="SHA-256 of its content, as hexadecimal digits.")]
    size: Annotated[int, Field(description="Bytes.")]


class ModelFile(File):
    """One of a model's files."""

    file: Annotated[str, Field(description="The file's name in the manifest.")]


class ModelFiles(TypedDict):
    """A model's files."""

    files: Annotated[list[ModelFile], Field(description="All files that the manifest names.")]


class Feature(TypedDict):
    """One input of a model."""

    name: Annotated[str, Field(description="Name of the feature, as in readings.")]
    unit: Annotated[str, Field(description="Unit of the feature; empty if it has none or it is not known.")]
    minimum: Annotated[
        float | None, Field(description="Smallest value in the training data, in `unit`; null if not known.")
    ]
    maximum: Annotated[
        float | None, Field(description="Largest value in the training data, in `unit`; null if not known.")
    ]


class Threshold(TypedDict):
    """The probability from which up the positive one of two classes is predicted."""

    positive: Annotated[str, Field(description="The positive class.")]
    value: Annotated[float, Field(description="Lowest probability of the positive class, 0 to 1.")]


class Manifest(TypedDict):
    """What a model is made of, with the digest and size of each of its files; it never changes."""

    format: Annotated[int, Field(description="Format version of the manifest: 1.")]
    name: Annotated[str, Field(description="Name of the model when it was saved.")]
    features: Annotated[list[Feature], Field(description="The inputs, in the model's order.")]
    classes: Annotated[list[str], Field(description="The labels that it can predict.")]
    served_by: Annotated[manifest.ServedBy, Field(description="The form that live inference runs.")]
    threshold: Annotated[
        Threshold | None, Field(description="When the positive one of two classes is predicted; null: at 0.5 or above.")
    ]
    saved_at: Annotated[str, Field(description="Time when it was packed, ISO 8601, UTC.")]
    metadata: Annotated[dict[str, Any], Field(description="Any JSON by key, as it was when the model was saved.")]
    files: Annotated[dict[str, File], Field(description="Digest and size of each file, by name.")]
    signature: Annotated[
        str, Field(description="Signature by the registry's signing key; empty if the registry has none.")
    ]


@router.get(
    "/{name}/files",
    summary="List a model's files, with size and SHA-256",
    responses={**answer(200, "The model's files.", EXAMPLE), **responses(404)},
    **needs("viewer"),
)
def list_files(name: Name, services: Held) -> ModelFiles:
    files = services.registry.manifest(name).files
    return {"files": [{"file": path, "sha256": file.sha256, "size": file.size} for path, file in files.items()]}


@router.get(
    "/{name}/manifest",
    summary="Get a model's manifest: features with units, classes, metadata, digests",
    responses={**answer(200, "The manifest.", MANIFEST), **responses(404)},
    **needs("viewer"),
)
def show_manifest(name: Name, services: Held) -> Manifest:
    found: Manifest = msgspec.to_builtins(services.registry.manifest(name))
    return found


@router.get(
    "/{name}/archive",
    summary="Download a model as one file, which POST /v1/models accepts",
    response_class=Response,
    responses={
        200: {"description": "A zip of manifest.json and the files that it names.", "content": ZIP},
        **responses(404),
    },
    **needs("viewer"),
)
def download_archive(name: Name, services: Held) -> Response:
    data = bundle.of(services.registry, name)
    return _attached(data, f"{name}.zip", "application/zip")


@router.get(
    "/{name}/files/{file:path}",
    summary="Download a file of a model; its digest is checked",
    response_class=Response,
    responses={200: {"description": "The file, byte for byte.", "content": BINARY}, **responses(404)},
    **needs("viewer"),
)
def download_file(
    name: Name,
    file: Annotated[str, InPath(description="Name of the file, as in the manifest.", examples=["model.onnx"])],
    services: Held,
) -> Response:
    data = services.registry.file(name, file)
    return _attached(data, file.rpartition("/")[2], "application/octet-stream")


def _attached(data: bytes, name: str, kind: str) -> Response:
    """A response that a browser saves and never displays under this origin."""
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in name)
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{safe}"'})
