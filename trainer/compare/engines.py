"""The clusters that can compare candidates, and the packages that each needs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from zelador.errors import InvalidInput

Engine = Literal["dask", "ray", "spark"]
PACKAGES = {"dask": ("fugue", "distributed"), "ray": ("fugue", "ray"), "spark": ("fugue", "pyspark")}
EXTRA = {"dask": "zelador[dask]", "ray": "fugue[ray]", "spark": "fugue[spark]"}


def check_engine(engine: Engine) -> None:
    """Raises InvalidInput if the engine's packages are not installed."""
    if absent := [name for name in PACKAGES[engine] if find_spec(name) is None]:
        raise InvalidInput(
            f"ZELADOR_TRAINING__PARALLEL={engine} needs {absent[0]}, which is not installed; install it with "
            f"pip install '{EXTRA[engine]}'"
        )
