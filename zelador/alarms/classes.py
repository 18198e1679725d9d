"""Which labels of a model are alarms. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def alarm_classes(wanted: Collection[str] | None, classes: Sequence[str], training: Mapping[str, object]) -> list[str]:
    """Those of the settings, else the rarer of two classes of the training data. `training` is the model's metadata."""
    if wanted is not None:
        return [name for name in classes if name in wanted]
    data = training.get("data")
    counts = data.get("classes") if isinstance(data, Mapping) else None
    if len(classes) != 2 or not isinstance(counts, Mapping):
        return []
    first, second = (counts.get(name) for name in classes)
    if not isinstance(first, int | float) or not isinstance(second, int | float):
        return []
    return [classes[0] if first < second else classes[1]]
