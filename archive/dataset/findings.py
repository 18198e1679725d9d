"""Findings: what is odd about a data set, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from archive.dataset.columns import Columns
from archive.dataset.counted import Counted, CountedFeature
from archive.dataset.description import FeatureFigures, Finding
from archive.dataset.figures import quantile, separation
from archive.dataset.rhythm import Rhythm
from archive.dataset.steady import Runs
from archive.dataset.time_checks import changed_units, clocks, stuck
from zelador.printable import counted as with_noun

SMALL_CLASS, SMALL_SHARE = 30, 0.01
LEAK = 0.995  # balanced accuracy with one threshold, from which up a feature gives the label away
DEVICE_PURITY = 0.98
MISSING_SHARE = 0.05
NEAR_SENTINELS = frozenset({85.0, -1.0, 0.0})  # may be measured values, so they count only far from all others
MIN_SENTINELS = 2
MIN_LABELED = 20
MAX_FINDINGS = 100
MAX_LEAK_ROWS = 20_000


def findings_of(
    counted: Counted,
    rhythm: Rhythm,
    features: Sequence[FeatureFigures],
    columns: Columns,
    labeled: Columns,
    by_device: Sequence[tuple[str, list[int]]],
    runs: Sequence[Runs],
) -> list[Finding]:
    """Returns the findings. `columns` has readings in order, `by_device` their rows, `labeled` rows of each class.

    `runs` has the runs of equal values of each feature.
    """
    return list(islice(_all_findings(counted, rhythm, features, columns, labeled, by_device, runs), MAX_FINDINGS))


def _all_findings(
    counted: Counted,
    rhythm: Rhythm,
    features: Sequence[FeatureFigures],
    columns: Columns,
    labeled: Columns,
    by_device: Sequence[tuple[str, list[int]]],
    runs: Sequence[Runs],
) -> Iterator[Finding]:
    if not counted.rows:
        return
    yield from _labels(counted.classes)
    yield from _given_away(counted)
    for at, feature in enumerate(features):
        yield from _feature(feature, counted.rows)
        yield from _sentinels(feature, counted.features[at], columns.values[at])
        yield from _leak(feature, labeled.values[at], labeled.labels, counted.classes)
    yield from clocks(rhythm.back, counted.ahead)
    for feature, column, steady in zip(features, columns.values, runs, strict=True):
        if not feature.constant:
            yield from stuck(feature.name, steady)
            yield from changed_units(feature.name, column, columns, by_device)
    if counted.duplicates:
        yield Finding(
            "duplicates",
            with_noun(counted.duplicates, "reading has", "readings have") + " the device, time and values of another",
            "training leaves them out; let the device send each reading once",
        )


def _labels(classes: Mapping[str, int]) -> Iterator[Finding]:
    total = sum(classes.values())
    if not total:
        yield Finding(
            "no labels",
            "no reading has a label",
            "label periods with `zelador labels add` or `import`, or let devices send labels",
        )
    elif len(classes) == 1:
        yield Finding(
            "one class",
            f"all {total} labeled readings have the label {next(iter(classes))}",
            "label periods of the other state as well; nothing can be learned from one class",
        )
    for label, count in classes.items():
        if len(classes) > 1 and (count < SMALL_CLASS or count < SMALL_SHARE * total):
            yield Finding(
                "small class",
                f"the class {label} has {count} of {total} labeled readings",
                f"collect at least {SMALL_CLASS} and a hundredth of all, or leave it out with --classes",
            )
    alike: dict[str, list[str]] = {}
    for label in classes:
        alike.setdefault("".join(label.casefold().split()), []).append(label)
    for labels in alike.values():
        if len(labels) > 1:
            named = " and ".join(f"{label!r} ({classes[label]})" for label in sorted(labels))
            yield Finding(
                "label case",
                f"the labels {named} differ by case or blanks alone",
                "write them alike: label the periods again with one of them",
            )


def _given_away(counted: Counted) -> Iterator[Finding]:
    """Yields a finding if nearly each device has only one class, because a model would learn the device."""
    classes, total = counted.classes, sum(counted.classes.values())
    if len(classes) < 2 or total < MIN_LABELED:
        return
    known = [each for each in counted.by_device.values() if each]
    pure = sum(max(each.values()) for each in known)
    if len(known) > 1 and pure >= DEVICE_PURITY * total and max(classes.values()) < DEVICE_PURITY * total:
        yield Finding(
            "device label",
            f"the device's name gives the label away: nearly all labeled readings of each of {len(known)} devices have "
            "one label",
            "label both states of the same device, or the model learns which device it is instead of its state",
        )


def _feature(feature: FeatureFigures, rows: int) -> Iterator[Finding]:
    name = feature.name
    if feature.constant:
        yield Finding(
            "constant",
            f"{name} always has the value {feature.lowest:g}",
            "leave it out, or check whether the sensor is connected",
            name,
        )
    if feature.missing > MISSING_SHARE * rows:
        yield Finding(
            "missing",
            f"{name} is missing in {feature.missing} of {rows} readings",
            "check which device does not send it; a model fills it with a usual value",
            name,
        )
    if feature.out_of_range:
        yield Finding(
            "out of range",
            f"{name} is outside its physical range in {with_noun(feature.out_of_range, 'reading')}",
            "they are not trained on; correct the range in ZELADOR_FIELDS, or the sensor",
            name,
        )


def _sentinels(feature: FeatureFigures, counted: CountedFeature, column: Sequence[float]) -> Iterator[Finding]:
    """Yields findings about values that seem to mean "no value": they recur, and are far from all others."""
    if feature.constant:
        return
    for sentinel, (count, below, above) in counted.sentinels.items():
        if count < MIN_SENTINELS:
            continue
        others = sorted(value for value in column if value == value and value != sentinel)
        if len(others) < MIN_LABELED:
            continue
        spread = max(quantile(others, 0.95) - quantile(others, 0.05), 1e-9)
        nearest = min(abs(sentinel - value) for value in (below, above) if value is not None)
        if nearest > (3 * spread if sentinel in NEAR_SENTINELS else spread / 2):
            yield Finding(
                "sentinel",
                f"{feature.name} is {sentinel:g} in {count} readings and far from that in all others: it looks like a "
                "mark for a missing value",
                f"set a range for {feature.name} in ZELADOR_FIELDS that leaves it out, or correct the device",
                feature.name,
            )


def _leak(
    feature: FeatureFigures, column: Sequence[float], labels: Sequence[str | None], classes: Mapping[str, int]
) -> Iterator[Finding]:
    rows = [place for place, label in enumerate(labels) if label is not None and column[place] == column[place]]
    if feature.constant or len(classes) < 2 or len(rows) < MIN_LABELED:
        return
    rows = rows[:: max(1, len(rows) // MAX_LEAK_ROWS)]
    values = [column[place] for place in rows]
    if all(separation(values, [labels[place] == each for place in rows]) >= LEAK for each in classes):
        yield Finding(
            "leak",
            f"{feature.name} alone tells the label: it nearly is the label",
            "check whether it is only known after the label; if so, leave it out, because live readings lack it",
            feature.name,
        )
