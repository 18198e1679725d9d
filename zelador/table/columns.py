"""Finds the columns of a table for features, label, device and time, by the settings' field map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from zelador.errors import InvalidInput
from zelador.settings import Settings
from zelador.table.numbers import PLAIN, is_missing
from zelador.table.table import Table, listed, long_hint, place_of
from zelador.table.times import looks_like_time
from zelador.units import UNITS as UNITS_OF
from zelador.units import conversion, known

WITH_UNIT = re.compile(r"(?P<name>.+?)\s*[\[(](?P<unit>[^\])]{1,20})[\])]")
UNITS = {"c": "°c", "degc": "°c", "celsius": "°c", "lux": "lx", "percent": "%", "%rh": "%", "grms": "g"}
DEVICE_NAMES = ("device_id", "device", "machine_id", "machine", "asset_id", "asset", "sensor_id", "unit_id", "serial")
TIME_NAMES = ("ts", "time", "timestamp", "datetime", "date_time", "date", "measured_at")
ROW_NUMBERS = ("", "index", "row", "row_id", "unnamed: 0", "__index_level_0__", "id")
SAMPLE_ROWS = 50
MAX_LOOKED_AT = 100  # columns
NONE, ROW = "none", "row"  # instead of the name of a column


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """The place of a feature in the table; value = cell * scale + offset."""

    feature: str
    place: int
    scale: float = 1.0
    note: str | None = None
    offset: float = 0.0


def feature_column(table: Table, feature: str, settings: Settings) -> FeatureColumn:
    """The column with the feature's own name, else the one that the field map names, else one whose name is written
    differently, such as `Temperature [°C]`. Raises InvalidInput.

    A column with the feature's name is in the feature's unit. One that the field map names gets the scale.
    """
    field = settings.field(feature)
    if feature in table.columns:
        note = None
        if field.scale != 1.0:
            note = f"{feature} is read as it is; the scale {field.scale:g} in ZELADOR_FIELDS is for messages of devices"
        return FeatureColumn(feature, place_of(table, feature), note=note)
    if field.source is not None and field.source in table.columns:
        times = "" if field.scale == 1.0 else f", times {field.scale:g}"
        note = f"the column {field.source!r} is read as {feature}{times} (ZELADOR_FIELDS)"
        return FeatureColumn(feature, place_of(table, field.source), field.scale, note)
    alike = [(place, unit) for place, unit in _alike(table.columns, feature)]
    if len(alike) == 1:
        place, unit = alike[0]
        column = table.columns[place]
        if unit is None or _unit(unit) == _unit(field.unit):
            return FeatureColumn(feature, place, note=f"the column {column!r} is read as {feature}")
        if field.unit and (known_unit := known(unit)) is not None and UNITS_OF[known_unit][0] == known(field.unit):
            factor, offset = conversion(unit, field.unit)
            note = f"the column {column!r} is read as {feature}, converted to {field.unit}"
            return FeatureColumn(feature, place, factor, note, offset)
        unit_of = f" in {field.unit}" if field.unit else " without a known unit"
        raise InvalidInput(
            f"{table.source} has no column {feature!r}; {column!r} is in {unit}, and {feature} is{unit_of}. Convert "
            f'it, or map it with ZELADOR_FIELDS=\'{{"{feature}": {{"from": "{column}", "scale": 1.0}}}}\''
        )
    raise InvalidInput(
        f"{table.source} has no column {feature!r}; it has {listed(table.columns)}. Name the columns with --features, "
        f"or map them in ZELADOR_FIELDS{long_hint(table)}"
    )


def _alike(columns: Sequence[str], feature: str) -> Iterator[tuple[int, str | None]]:
    """Columns whose names differ from the feature's only by case, blanks or a unit in brackets."""
    for place, column in enumerate(columns):
        found = WITH_UNIT.fullmatch(column)
        name, unit = (found["name"], found["unit"]) if found else (column, None)
        if _bare(name) == _bare(feature):
            yield place, unit


def _bare(name: str) -> str:
    return re.sub(r"[\s_]+", "", name).casefold()


def _unit(text: str) -> str:
    unit = re.sub(r"[\s.]+", "", text).casefold().replace("º", "°")
    return UNITS.get(unit, unit)


def numeric_columns(table: Table, besides: Sequence[int]) -> list[str]:
    """Names of the columns that hold numbers in the first rows, without times, devices and row numbers."""
    places = [place for place, name in enumerate(table.columns) if place not in besides and _is_feature(name)]
    sample = _sample(table, places)
    found = []
    for place, cells in zip(places, sample, strict=True):
        known = [str(cell) for cell in cells if cell is not None and not is_missing(str(cell))]
        if known and all(PLAIN.fullmatch(text.replace(",", ".")) for text in known):
            found.append(table.columns[place])
    return found


def _is_feature(name: str) -> bool:
    return name.casefold() not in (*ROW_NUMBERS, *DEVICE_NAMES, *TIME_NAMES)


def device_column(table: Table, asked: str | None, taken: Sequence[int]) -> int | None:
    """The column that names the device of each row: `asked`, or guessed by its name. `none`: no column."""
    if asked == NONE:
        return None
    return _by_name(table, DEVICE_NAMES, taken) if asked is None else place_of(table, asked, "--device, or none")


def time_column(table: Table, asked: str | None, taken: Sequence[int]) -> int | None:
    """The column with the time of measurement: `asked`, or guessed by its name, or the first that has dates and times.
    `none` and `row` take none.
    """
    if asked in (NONE, ROW):
        return None
    if asked is not None:
        return place_of(table, asked, "--time, or row, or none")
    by_name = _by_name(table, TIME_NAMES, taken)
    if by_name is not None:
        return by_name
    places = [place for place in range(len(table.columns)) if place not in taken][:MAX_LOOKED_AT]
    for place, cells in zip(places, _sample(table, places), strict=True):
        known = [cell for cell in cells if isinstance(cell, str) and cell]
        if known and len(known) == len(cells) and all(looks_like_time(cell) and len(cell) > 10 for cell in known):
            return place
    return None


def _by_name(table: Table, names: Sequence[str], taken: Sequence[int]) -> int | None:
    """The first column with one of these names, in the order of the names."""
    for name in names:
        for place, column in enumerate(table.columns):
            if place not in taken and column.casefold().replace(" ", "_") == name:
                return place
    return None


def _sample(table: Table, places: Sequence[int]) -> list[list[object]]:
    """The first cells of each of these columns."""
    rows = [cells for _, cells in islice(table.cells(places), SAMPLE_ROWS)]
    return [[row[at] for row in rows] for at in range(len(places))]


def features_of(table: Table, features: Sequence[str] | None, label: int | None, settings: Settings) -> tuple[str, ...]:
    """The features to read: those named, else those of the settings.

    Where nobody chose features and the table lacks one of the defaults, all its numeric columns are the features.
    """
    if features:
        return tuple(features)
    if "features" in settings.model_fields_set or all(_has(table, feature, settings) for feature in settings.features):
        return settings.features
    return tuple(numeric_columns(table, () if label is None else (label,))) or settings.features


def _has(table: Table, feature: str, settings: Settings) -> bool:
    """True also for a column that exists but cannot be used; reading it raises the reason."""
    source = settings.field(feature).source
    return feature in table.columns or source in table.columns or len(list(_alike(table.columns, feature))) == 1
