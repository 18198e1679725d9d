"""The description of a data set: each oddity is found, and nothing is found in good data."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from archive.dataset.columns import Columns
from archive.dataset.describe import describe
from archive.dataset.description import Description
from archive.dataset.figures import separation
from zelador.ranges import Ranges
from zelador.settings import Settings

NOW = 1_795_514_400_000
MINUTE = 60_000
Row = dict[str, object]


def plant(change: Callable[[int, Row], None] = lambda _i, _row: None, count: int = 400) -> Description:
    """Two presses with a slow course and noise, a reading a minute, labeled by a rule that no single feature tells."""
    settings = Settings()
    found = Columns(settings.features)
    chance = random.Random(7)
    for i in range(count):
        for device in ("press-07", "press-08"):
            hot, shaking = chance.random() < 0.3, chance.random() < 0.3
            row: Row = {
                "device": device,
                "at": NOW + i * MINUTE,
                "lux": 400 + 30 * math.sin(i / 60) + chance.gauss(0, 4),
                "temperature": 40 + 6 * hot + 3 * math.sin(i / 80) + chance.gauss(0, 3),
                "vibration": 1 + 0.5 * shaking + chance.gauss(0, 0.3),
                "label": "yes" if hot and shaking else "no",
                "received": NOW + i * MINUTE + 50,
            }
            change(i, row)
            values = [float(row[name]) for name in settings.features]  # type: ignore[arg-type]
            label = None if row["label"] is None else str(row["label"])
            found.add(str(row["device"]), int(row["at"]), values, label, int(row["received"]))  # type: ignore[call-overload]
    return describe(found, Ranges.of(settings, settings.features))


def kinds(found: Description) -> list[str]:
    return [each.kind for each in found.findings]


def test_good_data_has_no_finding_and_correct_figures() -> None:
    found = plant()
    assert kinds(found) == []
    assert (found.rows, found.devices, found.unlabeled, found.interval_s, found.gap_count) == (800, 2, 0, 60.0, 0)
    assert sum(found.classes.values()) == 800
    assert {name: sum(each.values()) for name, each in found.by_device.items()} == {"press-07": 400, "press-08": 400}
    assert sum(sum(each.values()) for each in found.by_day.values()) == 800
    lux = found.features[0]
    assert lux.autocorrelation is not None and lux.autocorrelation > 0.9
    assert lux.block_rows > found.features[2].block_rows == 1
    assert (found.begin, len(found.correlations)) == ("2026-11-24T10:00:00.000Z", 3)


def one_class(_i: int, row: Row) -> None:
    row["label"] = "no"


def no_labels(_i: int, row: Row) -> None:
    row["label"] = None


def small_class(i: int, row: Row) -> None:
    if i < 5:
        row["label"] = "broken"


def case(i: int, row: Row) -> None:
    if i % 2:
        row["label"] = str(row["label"]).upper()


def constant(_i: int, row: Row) -> None:
    row["lux"] = 400


def leak(_i: int, row: Row) -> None:
    row["lux"] = 300 if row["label"] == "yes" else 500


def by_name(_i: int, row: Row) -> None:
    row["label"] = "yes" if row["device"] == "press-07" else "no"


def unplugged(i: int, row: Row) -> None:
    if i % 40 == 3:
        row["temperature"] = -127


def overflow(i: int, row: Row) -> None:
    if i % 40 == 3:
        row["lux"] = 65_535


def nines(i: int, row: Row) -> None:
    if i % 40 == 3:
        row["lux"] = 9_999


def back(i: int, row: Row) -> None:
    if row["device"] == "press-08" and i > 200:
        row["at"] = int(row["at"]) - 150 * MINUTE - 7  # type: ignore[call-overload]


def ahead(i: int, row: Row) -> None:
    if row["device"] == "press-08" and i > 200:
        row["at"] = int(row["at"]) + 600 * MINUTE  # type: ignore[call-overload]


def hangs(i: int, row: Row) -> None:
    if row["device"] == "press-07" and 100 <= i < 260:
        row["vibration"] = 1.25


def milli(i: int, row: Row) -> None:
    if row["device"] == "press-07" and i >= 230:
        row["vibration"] = float(row["vibration"]) * 1_000  # type: ignore[arg-type]


def to_g(i: int, row: Row) -> None:
    if i < 130:
        row["vibration"] = float(row["vibration"]) * 9.80665  # type: ignore[arg-type]


def kelvin(i: int, row: Row) -> None:
    if i >= 200:
        row["temperature"] = float(row["temperature"]) + 273.15  # type: ignore[arg-type]


def fahrenheit(i: int, row: Row) -> None:
    if i >= 200:
        row["temperature"] = 1.8 * float(row["temperature"]) + 32  # type: ignore[arg-type]


def lacking(i: int, row: Row) -> None:
    if i % 4 == 0:
        row["lux"] = math.nan


def outside(i: int, row: Row) -> None:
    if i == 5:
        row["temperature"] = 5_000


def twice(i: int, row: Row) -> None:
    if i in (7, 8):
        row.update(at=NOW, lux=1.0, temperature=2.0, vibration=3.0)


@pytest.mark.parametrize(
    ("change", "kind", "where"),
    [
        (one_class, "one class", None),
        (no_labels, "no labels", None),
        (small_class, "small class", None),
        (case, "label case", None),
        (constant, "constant", "lux"),
        (leak, "leak", "lux"),
        (by_name, "device label", None),
        (unplugged, "sentinel", "temperature"),
        (overflow, "sentinel", "lux"),
        (nines, "sentinel", "lux"),
        (back, "clock", "press-08"),
        (ahead, "clock", "press-08"),
        (hangs, "stuck", "vibration"),
        (milli, "unit change", "vibration"),
        (to_g, "unit change", "vibration"),
        (kelvin, "unit change", "temperature"),
        (fahrenheit, "unit change", "temperature"),
        (lacking, "missing", "lux"),
        (outside, "out of range", "temperature"),
        (twice, "duplicates", None),
    ],
)
def test_each_oddity_is_found_where_it_is(change: Callable[[int, Row], None], kind: str, where: str | None) -> None:
    found = plant(change)
    assert kind in kinds(found), found.findings
    each = next(each for each in found.findings if each.kind == kind)
    assert each.sentence and each.advice
    assert where in (None, each.feature, each.device)
    allowed = {kind, "out of range", "clock", "small class"}  # a side effect of the change
    assert set(kinds(found)) <= allowed, found.findings


def rises(i: int, row: Row) -> None:
    row["temperature"] = float(row["temperature"]) + (60 if i >= 200 else 0)  # type: ignore[arg-type]


def steps(i: int, row: Row) -> None:
    row["lux"] = 100 if i % 200 < 100 else 900  # lamps by day and night


@pytest.mark.parametrize("change", [rises, steps])
def test_a_machine_in_another_mode_gives_no_finding(change: Callable[..., None]) -> None:
    assert not set(kinds(plant(change))) & {"unit change", "sentinel", "leak", "clock"}


def test_nothing_and_little_can_be_described() -> None:
    assert plant(count=0).rows == 0
    assert plant(count=1).rows == 2
    assert plant(count=3).interval_s == 60.0


def test_a_threshold_is_as_good_as_the_best_of_all() -> None:
    values, truth = [3.0, 1.0, 2.0, 2.0, 5.0], [True, False, False, True, True]
    best = max(
        max(found, 1 - found)
        for limit in values
        for found in [(sum(v <= limit for v, t in zip(values, truth, strict=True) if t) / 3
                       + sum(v > limit for v, t in zip(values, truth, strict=True) if not t) / 2) / 2]
    )  # fmt: skip
    assert separation(values, truth) == pytest.approx(best)
