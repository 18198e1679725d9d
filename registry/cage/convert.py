"""Converts a trusted pickle into an exported model. Pickles are loaded only here, in the cage's child.

Loading a pickle runs any code that its author put in, so another process checks the result.
"""

from __future__ import annotations

import io
import json
import warnings
from typing import Any

from registry.bundle import bundle
from registry.cage.wire import Convert, Converted
from registry.functions import upload_of
from registry.model.artefact import manifest_of, pack
from zelador.clock import now_iso
from zelador.errors import InvalidInput


def convert(request: Convert) -> Converted:
    """The pickle as an archive. Raises InvalidInput; TypeRefused for types that cannot be saved."""
    model, warned = _load(request.data, request.name)
    if isinstance(model, list | tuple) and model and hasattr(model[0], "predict"):
        model = model[0]  # PyCaret 2 saved its pipeline in a list
    metadata: dict[str, Any] = json.loads(request.metadata)
    metadata["imported"] = {**metadata.get("imported", {}), "warnings": warned}
    if request.features:
        metadata["features"] = request.features
    upload = upload_of(model, metadata)
    files = pack(upload, request.name)
    return Converted(bundle.pack(manifest_of(upload, request.name, files, now_iso()), files))


def _load(data: bytes, name: str) -> tuple[Any, list[str]]:
    """Loads the pickle; returns the model and the warnings of the libraries (mostly about versions)."""
    import joblib

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            return joblib.load(io.BytesIO(data)), sorted({str(warning.message)[:300] for warning in warned})[:5]
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a pickle can raise anything
            raise InvalidInput(
                f"{name} cannot be loaded ({type(error).__name__}: {str(error)[:300]}); it needs the packages "
                "that it was saved with, for PyCaret's the trainer's"
            ) from None
