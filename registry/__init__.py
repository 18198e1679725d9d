"""The model registry: six functions for scripts; `registry.registry.Registry` has everything."""

from registry.functions import (
    delete_model,
    get_model_metadata,
    get_models_summary,
    list_models,
    load_model,
    save_model,
)

__all__ = [
    "delete_model",
    "get_model_metadata",
    "get_models_summary",
    "list_models",
    "load_model",
    "save_model",
]
