"""Units by name, and their conversion to the unit of a feature (°C, lx, g). Pure."""

from __future__ import annotations

G = 9.80665  # m/s²

# name → the unit that it converts to, factor, offset
UNITS: dict[str, tuple[str, float, float]] = {
    "°C": ("°C", 1.0, 0.0),
    "°F": ("°C", 5 / 9, -160 / 9),
    "K": ("°C", 1.0, -273.15),
    "lx": ("lx", 1.0, 0.0),
    "klx": ("lx", 1000.0, 0.0),
    "g": ("g", 1.0, 0.0),
    "mg": ("g", 0.001, 0.0),
    "m/s²": ("g", 1 / G, 0.0),
    "%": ("%", 1.0, 0.0),
}
OTHER_NAMES = {
    "c": "°C", "celsius": "°C", "degc": "°C", "℃": "°C", "f": "°F", "fahrenheit": "°F", "degf": "°F", "℉": "°F",
    "kelvin": "K", "lux": "lx", "klux": "klx", "m/s2": "m/s²", "m/s^2": "m/s²", "ms-2": "m/s²", "percent": "%",
}  # fmt: skip


def known(name: str) -> str | None:
    """The unit's name as in UNITS; None if it is not known."""
    name = name.strip()
    if name in UNITS:
        return name
    lower = name.lower().replace(" ", "")
    return OTHER_NAMES.get(lower) or next((unit for unit in UNITS if unit.lower() == lower), None)


def conversion(name: str, target: str) -> tuple[float, float]:
    """Factor and offset from the unit `name` to `target`; "" takes the usual unit. Raises ValueError."""
    unit = known(name)
    if unit is None:
        raise ValueError(f"the unit {name[:20]!r} is not known; units are {', '.join(UNITS)}")
    into, factor, offset = UNITS[unit]
    wanted = known(target) or target
    if wanted not in ("", into):
        raise ValueError(f"{unit} cannot be converted to {target}")
    return factor, offset
