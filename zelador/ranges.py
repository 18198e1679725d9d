"""Which values are accepted: what a working sensor can have, and a model can compute with. Pure.

The rule is the same for live messages, tables and requests. A live message is compared with `limits` alone;
`objection` gives the reason for a value outside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from zelador.settings import FieldSettings, Settings

MAX_VALUE = 3.4028234663852886e38  # the largest number of single precision, in which models compute

Limits = tuple[float, float]


def limits(field: FieldSettings) -> Limits:
    """The least and the largest value that is accepted. NaN and infinity are outside any limits."""
    low = -MAX_VALUE if field.minimum is None else max(field.minimum, -MAX_VALUE)
    high = MAX_VALUE if field.maximum is None else min(field.maximum, MAX_VALUE)
    return low, high


def objection(value: float, feature: str, field: FieldSettings) -> str | None:
    """Why a value is refused, such as `temperature is -127 °C, outside -100 to 1000`; None if it is accepted."""
    if not math.isfinite(value):
        return f"{feature} is not a finite number"
    low, high = limits(field)
    if low <= value <= high:
        return None
    shown = format(value, "g")
    if low <= float(shown) <= high:  # rounded, it looks accepted
        shown = repr(value)
    given = f"{feature} is {shown} {field.unit}".rstrip()
    least, most = field.minimum, field.maximum
    if (least is None or value >= least) and (most is None or value <= most):
        return f"{given}, outside {-MAX_VALUE:g} to {MAX_VALUE:g}, the numbers that models compute with"
    return f"{given}, outside {'−∞' if least is None else f'{least:g}'} to {'∞' if most is None else f'{most:g}'}"


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of these features, in their order."""

    features: tuple[str, ...]
    fields: tuple[FieldSettings, ...]

    @classmethod
    def of(cls, settings: Settings, features: Sequence[str]) -> Self:
        return cls(tuple(features), tuple(map(settings.field, features)))

    @property
    def bounds(self) -> tuple[Limits, ...]:
        """Least and largest value of each feature."""
        return tuple(map(limits, self.fields))

    def objection(self, values: Sequence[float]) -> str | None:
        """The reason why a reading with these values is refused; None if it is accepted. NaN (missing) is accepted."""
        for value, feature, field in zip(values, self.features, self.fields, strict=True):
            if not math.isnan(value) and (found := objection(value, feature, field)):
                return found
        return None

    def complete_objection(self, values: Sequence[float]) -> str | None:
        """Like `objection`, but also refuses a reading without one of the values."""
        for value, feature in zip(values, self.features, strict=True):
            if not math.isfinite(value):
                return f"there is no value for {feature}"
        return self.objection(values)
