"""Six functions for scripts and notebooks, which use the registry of the settings.

Without ZELADOR_REGISTRY__URL, it is in `./.zelador/registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from registry.errors import ModelNotFound
from zelador.settings import load_settings
from zelador.user import user

if TYPE_CHECKING:
    from registry.registry import Registry, Upload


def save_model(model: Any, name: str, metadata: Mapping[str, Any] | None = None, rows: Any = None) -> str:
    """Saves a fitted scikit-learn classifier or PyCaret pipeline with its metadata; returns its artifact's path.

    `model` may also be a list, tuple or dict of a model with its scaler, label encoder and column names.
    `metadata["features"]` names the columns of a model that was fitted without names. `rows`: some rows of the data,
    shape (n, features). The first of them become the golden rows, with which a worker checks a loaded model.
    Raises ValueError for a name that is taken or invalid; TypeRefused (a ValueError) for a type outside the
    allow-list, and for an object that is not a classifier or does not answer rows.
    """
    registry = _open()
    return registry.where(registry.save(name, upload_of(model, metadata, rows), by=user(), why="save_model"))


def load_model(name: str) -> Any:
    """The scikit-learn model. Raises FileNotFoundError for an unknown name, or when its artifact is missing.

    It predicts the names of its classes, also if it was fitted on codes and a label encoder was saved with it.
    """
    from registry.adopt.relabel import relabeled

    registry = _open()
    try:
        return relabeled(registry.pipeline(name), registry.state.models[name].metadata.get("classes", ()))
    except ModelNotFound as error:
        if name in registry.state.models:
            raise
        where = load_settings().registry.url
        raise ModelNotFound(f"{error}. The registry is {where}; ZELADOR_REGISTRY__URL names another") from None


def list_models() -> dict[str, dict[str, Any]]:
    """Every registered model by name: path, metadata, saved_at."""
    from registry.model.manifest_shape import shown

    registry = _open()
    return {
        model.name: {
            "path": registry.where(model),
            "metadata": dict(shown(model.metadata)[0]),
            "saved_at": model.saved_at,
        }
        for model in registry.state.models.values()
    }


def get_models_summary() -> list[dict[str, Any]]:
    """One flat dict per model: its metadata with name and saved_at, newest first."""
    entries = [
        {**entry["metadata"], "name": name, "saved_at": entry["saved_at"]} for name, entry in list_models().items()
    ]
    return sorted(entries, key=lambda entry: str(entry["saved_at"]), reverse=True)


def get_model_metadata(name: str) -> dict[str, Any]:
    """The model's path, metadata and saved_at. Raises KeyError for an unknown name."""
    return list_models()[name]


def delete_model(name: str) -> None:
    """Deletes the model and its artifact.

    Raises FileNotFoundError for an unknown name, Conflict for the selected model.
    """
    _open().delete(name, by=user(), why="delete_model", files_at_once=True)


def upload_of(model: Any, metadata: Mapping[str, Any] | None = None, rows: Any = None) -> Upload:
    """The `Upload` of a model in a script: its own columns and classes, with the given metadata and rows.

    Raises ValueError (InvalidInput, TypeRefused) unless it is a classifier that answers rows.
    """
    from registry.adopt.adopt import adopt

    facts = dict(metadata or {})
    features = [str(name) for name in facts.pop("features", None) or ()]
    adopted = adopt({"": model}, facts, features=features, rows=rows)
    if not adopted.notes:
        return adopted.upload
    noted = {**adopted.upload.metadata, "imported": {"notes": list(adopted.notes)}}
    return replace(adopted.upload, metadata=noted)


def _open() -> Registry:
    from registry.registry import Registry

    return Registry.open(load_settings().registry)
