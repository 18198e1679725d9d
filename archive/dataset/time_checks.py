"""Finds what is odd in a device's readings over time: its clock, stuck values, a unit that changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archive.dataset.columns import Columns
from archive.dataset.description import Finding
from archive.dataset.figures import median, quantile
from archive.dataset.steady import Runs
from zelador.messages import iso
from zelador.printable import counted

STUCK_MS, STUCK_ROWS, STUCK_RUNS = 2 * 3_600_000, 20, 10
BLOCKS, MIN_ROWS = 20, 60
TOLERANCE = 0.15
FACTORS = (10.0, 100.0, 1_000.0, 1_000_000.0, 9.80665, 3.6, 25.4, 6.894757, 60.0)


def clocks(back: Mapping[str, tuple[int, int]], ahead: Mapping[str, tuple[int, int]]) -> Iterator[Finding]:
    """Yields findings about clocks. `back` and `ahead` map a device to how often, and first when, its time was off."""
    for name in sorted({*back, *ahead}):
        parts = ([f"went back {counted(back[name][0], 'time')}"] if name in back else []) + (
            [f"was ahead in {counted(ahead[name][0], 'reading')}"] if name in ahead else []
        )
        first = min(each[name][1] for each in (back, ahead) if name in each)
        yield Finding(
            "clock",
            f"the clock of {name} jumped: it {' and '.join(parts)}, first at {iso(first)}",
            "let the device set its clock by NTP; labels of periods may miss the readings around the jump",
            device=name,
        )


def stuck(feature: str, by_device: Runs) -> Iterator[Finding]:
    """Yields findings about a feature that keeps one value for hours, although it usually changes much sooner."""
    for name, runs in by_device.items():
        if len(runs) < 2:
            continue
        usual = median([run.rows for run in runs])
        least = max(STUCK_ROWS, STUCK_RUNS * usual)
        long = [run for run in runs if run.value == run.value and run.rows >= least and run.end - run.begin >= STUCK_MS]
        if long:
            longest = max(long, key=lambda run: run.end - run.begin)
            hours = (longest.end - longest.begin) / 3_600_000
            yield Finding(
                "stuck",
                f"{feature} of {name} stays at {longest.value:g} for {hours:.1f} hours from {iso(longest.begin)}",
                "check the sensor; leave the period out, or label it as a fault of the sensor",
                feature,
                name,
            )


def changed_units(
    feature: str, column: Sequence[float], columns: Columns, by_device: Sequence[tuple[str, list[int]]]
) -> Iterator[Finding]:
    """Yields findings about features whose values from a moment on differ by the factor between two units."""
    for name, rows in by_device:
        points = sorted((columns.measured[row], column[row]) for row in rows if column[row] == column[row])
        if len(points) < MIN_ROWS:
            continue
        if (found := _change([value for _, value in points])) is not None:
            place, unit = found
            yield Finding(
                "unit change",
                f"{feature} of {name} changes its unit at about {iso(points[place][0])}: {unit}",
                "correct the scale of the device's profile or ZELADOR_FIELDS, and train on one side of the change only",
                feature,
                name,
            )


def _change(values: Sequence[float]) -> tuple[int, str] | None:
    """Returns where the unit changes, and what the change looks like; None if it does not."""
    size = len(values) // BLOCKS
    blocks = [sorted(values[at * size : (at + 1) * size]) for at in range(BLOCKS)]
    middles = [quantile(block, 0.5) for block in blocks]
    best: tuple[float, int] | None = None
    for at in range(2, BLOCKS - 1):
        before, after = middles[:at], middles[at:]
        apart = max(min(after) - max(before), min(before) - max(after))
        if apart > 0 and (best is None or apart > best[0]):
            best = apart, at
    if best is None:
        return None
    place = best[1] * size
    before_values, after_values = sorted(values[: place - size]), sorted(values[place + size :])
    if not before_values or not after_values:
        return None
    unit = _unit(before_values, after_values)
    return None if unit is None else (place, unit)


def _unit(before: Sequence[float], after: Sequence[float]) -> str | None:
    one, other = quantile(before, 0.5), quantile(after, 0.5)
    spread_one, spread_other = _spread(before), _spread(after)
    for low, high, spread_low, spread_high, how in (
        (one, other, spread_one, spread_other, "multiplied"),
        (other, one, spread_other, spread_one, "divided"),
    ):
        if low and spread_low > 0:
            ratio, spreads = high / low, spread_high / spread_low
            for factor in FACTORS:
                if _is_near(ratio, factor) and 0.5 * factor < spreads < 2 * factor:
                    return f"its values are {how} by about {factor:g} from then on"
        wanted = abs(high - (low + 273.15))
        if wanted < 8 + 3 * spread_low and abs(low) < 150 and high > 200:
            return "kelvin and degrees Celsius"
        fahrenheit = abs(high - (1.8 * low + 32))
        if spread_low > 0 and 1.4 < spread_high / spread_low < 2.3 and fahrenheit < max(3.0, spread_high):
            return "degrees Celsius and Fahrenheit"
    return None


def _is_near(ratio: float, factor: float) -> bool:
    return abs(ratio / factor - 1) < TOLERANCE


def _spread(ordered: Sequence[float]) -> float:
    return quantile(ordered, 0.75) - quantile(ordered, 0.25)
