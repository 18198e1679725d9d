"""Data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat

from zelador.settings.section import Section


class DatasetSettings(Section):
    cache: Path = Field(
        default=Path(".zelador/datasets"),
        description="Folder for loaded data sets. `zelador up` keeps it in its home.",
    )
    cache_s: PositiveFloat = Field(default=3_600.0, description="How long a loaded data set is kept.")
    cache_bytes: NonNegativeInt = Field(
        default=1_073_741_824,
        description="Limit of the loaded data sets together; the oldest are removed first. 0 keeps none.",
    )
    memory_bytes: Annotated[int, Field(ge=134_217_728)] = Field(
        default=805_306_368,
        description="Memory in which the archive is read and sorted; more goes to temporary files in the cache's "
        "folder. The process itself needs about 300 MB more.",
    )
    threads: Annotated[int, Field(ge=1, le=64)] = Field(default=2, description="Threads that read the archive.")
