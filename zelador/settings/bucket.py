"""The options of a bucket, as the registry and the archive take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from zelador.settings.section import names


def _pairs(options: tuple[str, ...]) -> tuple[str, ...]:
    if any("=" not in option for option in options):
        raise ValueError("must be name=value, with commas between")
    return options


BucketOptions = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(names), AfterValidator(_pairs), Field(repr=False)
]  # they may be secret


def by_name(options: Sequence[str]) -> dict[str, str]:
    """The options as a mapping, as open_store takes them."""
    return dict(option.split("=", 1) for option in options)
