"""Physical ranges: which values a working sensor cannot have, in messages, tables and requests alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from zelador.settings import FieldSettings, Settings

MAX_VALUE = 3.4e38  # models compute in single precision, where more is infinite


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of these features, in their order."""

    features: tuple[str, ...]
    fields: tuple[FieldSettings, ...]

    @classmethod
    def of(cls, settings: Settings, features: Sequence[str]) -> Self:
        return cls(tuple(features), tuple(map(settings.field, features)))

    def objection(self, values: Sequence[float]) -> str | None:
        """The reason why a reading with these values is refused; None if it is accepted. NaN (missing) is accepted."""
        for value, feature, field in zip(values, self.features, self.fields, strict=True):
            if is_outside(value, field):
                return describe(value, feature, field)
        return None

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Least and largest value of each feature."""
        return tuple(
            (
                -MAX_VALUE if field.minimum is None else field.minimum,
                MAX_VALUE if field.maximum is None else field.maximum,
            )
            for field in self.fields
        )

    def complete_objection(self, values: Sequence[float]) -> str | None:
        """As `objection`, but a reading without one of the values is refused too."""
        for value, feature in zip(values, self.features, strict=True):
            if not math.isfinite(value):
                return f"there is no value for {feature}"
        return self.objection(values)


def is_outside(value: float, field: FieldSettings) -> bool:
    return (
        abs(value) > MAX_VALUE
        or (field.minimum is not None and value < field.minimum)
        or (field.maximum is not None and value > field.maximum)
    )


def describe(value: float, feature: str, field: FieldSettings) -> str:
    """`temperature is -127 °C, outside -100 to 1000`."""
    unit = f" {field.unit}" if field.unit else ""
    low = "−∞" if field.minimum is None else format(field.minimum, "g")
    high = "∞" if field.maximum is None else format(field.maximum, "g")
    return f"{feature} is {value:g}{unit}, outside {low} to {high}"
