"""Six functions for scripts and notebooks, which use the registry of the settings.

Without ZELADOR_REGISTRY__URL, it is in `./.zelador/registry`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zelador.errors import InvalidInput
from zelador.settings import load_settings
from zelador.user import user

if TYPE_CHECKING:
    from registry.model.classifier import Rows
    from registry.registry import Registry, Upload


def save_model(model: Any, name: str, metadata: Mapping[str, Any] | None = None, rows: Any = None) -> str:
    """Saves a fitted scikit-learn classifier or PyCaret pipeline with its metadata; returns its artifact's path.

    `metadata["features"]` (names) is used if the model does not know its feature names. `rows`: some rows of the
    data, shape (n, features). The first of them become the golden rows, with which a worker checks a loaded model.
    Raises ValueError for a name that is taken or invalid, TypeRefused for a type outside the allow-list.
    """
    registry = _open()
    return registry.where(registry.save(name, upload_of(model, metadata, rows), by=user(), why="save_model"))


def load_model(name: str) -> Any:
    """The scikit-learn model. Raises FileNotFoundError for an unknown name, or when its artifact is missing."""
    return _open().pipeline(name)


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
    """The `Upload` of a model in a script: its own features and classes, with the given metadata and rows."""
    from registry.legacy.unwrap import is_wrapped, unwrap
    from registry.model.classifier import classes_of
    from registry.registry import Upload

    facts = dict(metadata or {})
    if is_wrapped(model):
        model = unwrap(model)
    features = _features(model, facts.get("features"))
    return Upload(model, features, classes_of(model), _described(model, facts), probe=_rows(rows, features))


def _open() -> Registry:
    from registry.registry import Registry

    return Registry.open(load_settings().registry)


def _features(model: Any, feature_names: Any) -> tuple[Any, ...]:
    from registry.model.manifest import Feature

    names = list(feature_names) if feature_names is not None else list(getattr(model, "feature_names_in_", ()))
    count = getattr(model, "n_features_in_", len(names))
    if names and len(names) != count:
        raise InvalidInput(f"metadata names {len(names)} features, the model was fitted on {count}")
    return tuple(Feature(str(name)) for name in names or [f"x{i}" for i in range(count)])


def _rows(data: Any, features: Sequence[Any]) -> Rows | None:
    import numpy as np

    if data is None:
        return None
    try:
        rows = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[1] != len(features):
        raise InvalidInput(f"rows must be numbers, with a column for each of the {len(features)} features")
    return rows


def _described(model: Any, facts: dict[str, Any]) -> dict[str, Any]:
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return {"model_type": type(last).__name__, **{key: value for key, value in facts.items() if key != "features"}}
