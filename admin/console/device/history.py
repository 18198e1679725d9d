"""The history of a device as its page shows it: which period was asked for, its charts, and the sentences about it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import parse_qs, urlencode

from admin.console.catalog import mark as _
from admin.console.charts import LaneStep
from admin.console.console import Console
from admin.console.language import Language
from admin.console.overview.live import FeatureShown
from admin.console.pulse import moment
from admin.console.words import label_text, period
from operations.views.device_history import BucketView, HistoryNote, HistoryView
from operations.views.devices import DeviceView
from operations.views.plant import PlantView
from zelador.alarms.state import IN_ALARM, STATES, State
from zelador.errors import InvalidInput

BUCKETS = 160
MAX_TYPED = 40  # characters of a time
LEAST_EVERY_S = 3
UNITS = 400  # in the range of a chart
WITHOUT_SECONDS_S = 1_200


@dataclass(frozen=True, slots=True)
class Span:
    """A period until now that can be chosen. `every_s` is how often an open page asks for it again."""

    name: str
    text: str
    ms: int
    every_s: int


SPANS = (
    Span("1h", "1 h", 3_600_000, 15),
    Span("6h", "6 h", 6 * 3_600_000, 60),
    Span("24h", "24 h", 24 * 3_600_000, 240),
    Span("7d", "7 d", 7 * 86_400_000, 1_200),
)


@dataclass(frozen=True, slots=True)
class AskedPeriod:
    """What the address asks for: one of SPANS, or a period as a person typed it; else what fits the device."""

    span: str = ""
    begin: str = ""
    end: str = ""

    @property
    def query(self) -> str:
        """The same for another address; empty for what fits the device."""
        if self.begin:
            return urlencode({"from": self.begin, **({"to": self.end} if self.end else {})})
        return urlencode({"range": self.span}) if self.span else ""


@dataclass(frozen=True, slots=True)
class Point:
    """The values of a feature in a part of the period; `at` (seconds since 1970 UTC) is its middle."""

    at: float
    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """A feature in the period, and its last value."""

    feature: FeatureShown
    points: tuple[Point, ...]
    last: float | None

    @property
    def low(self) -> float:
        return min(point.low for point in self.points)

    @property
    def high(self) -> float:
        return max(point.high for point in self.points)

    @property
    def course(self) -> list[float]:
        """The means, with the last value at the end."""
        return [point.mean for point in self.points] + ([] if self.last is None else [self.last])


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the period (seconds since 1970 UTC)."""

    begin: float
    end: float
    label: str
    is_alarm: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A period of a device. `span` is empty if it is not one of SPANS."""

    span: str
    query: str  # which asks for the same period
    begin: float
    end: float
    view: HistoryView
    labels: tuple[Band, ...]
    alarms: tuple[Band, ...]
    lane: tuple[LaneStep, ...]

    @property
    def every_s(self) -> int:
        """How often an open page asks again: the history of a young plant is short, and changes sooner."""
        usual = next((span.every_s for span in SPANS if span.name == self.span), 0)
        return max(LEAST_EVERY_S, min(usual, round((self.end - self.begin) / 60)))

    @property
    def is_young(self) -> bool:
        """True if the period is shorter than the span, because it begins with the first reading."""
        return any(1_000 * (self.end - self.begin) < 0.9 * span.ms for span in SPANS if span.name == self.span)

    @property
    def is_slow(self) -> bool:
        """True if the archive is still being read."""
        return any(note["kind"] == "slow" for note in self.view["notes"])

    @property
    def lane_states(self) -> list[State]:
        """The states in the period, those that every device has first."""
        shown = {step.state for step in self.lane}
        return [state for state in STATES if state in shown]

    @property
    def rows(self) -> list[BucketView]:
        return self.view["buckets"]


def asked_of(span: str, begin: str, end: str) -> AskedPeriod:
    """Returns what an address asks for; what it cannot mean is left out."""
    known = span if span in {each.name for each in SPANS} else ""
    return AskedPeriod("" if begin.strip() else known, begin.strip()[:MAX_TYPED], end.strip()[:MAX_TYPED])


def asked_in(query: str) -> AskedPeriod:
    """Reads what the query of an address asks for."""
    given = {name: values[0] for name, values in parse_qs(query[:1_000]).items()}
    return asked_of(given.get("range", ""), given.get("from", ""), given.get("to", ""))


def read_history(
    console: Console, language: Language, device: DeviceView, asked: AskedPeriod, trouble_s: float
) -> Shown:
    """Reads the period. By default it is the shortest one in which the trouble of the device began, so long ago.

    Raises InvalidInput for a period that cannot be, redis.RedisError.
    """
    histories, now = console.services.histories, console.plant.read()
    if asked.end and not (asked.begin or asked.span):
        raise InvalidInput("from: give the time at which the period starts", field="from")
    if asked.begin:
        begin = language.typed(asked.begin, "from")
        end = language.typed(asked.end, "to") if asked.end else now.at
        return _shown("", asked.query, histories.history(device, begin, end, BUCKETS), now)
    fitting = next((span for span in SPANS if span.ms > 1_050 * trouble_s), SPANS[-1])
    span = next((span for span in SPANS if span.name == asked.span), fitting)
    return _shown(span.name, urlencode({"range": span.name}), histories.newest(device, span.ms, BUCKETS), now)


def _shown(span: str, query: str, view: HistoryView, now: PlantView) -> Shown:
    begin, end = moment(view["from"]), moment(view["to"])
    labels = (
        Band(moment(each["from"]), moment(each["to"]), each["label"], now.is_alarm(each["label"]))
        for each in view["labels"]
    )
    states = [(moment(each["from"]), moment(each["to"]), each["state"]) for each in view["states"]]
    alarms = (Band(first, last, "", True) for first, last, state in states if state in IN_ALARM)
    lane = (LaneStep(state, (a - begin) / (end - begin), (b - begin) / (end - begin)) for a, b, state in states)
    return Shown(span, query, begin, end, view, tuple(labels), tuple(alarms), tuple(lane))


def period_to_label(shown: Shown, asked: AskedPeriod, trouble: float | None, last: float) -> tuple[float, float] | None:
    """Returns the period that the form of a label begins with, in whole seconds; None if there is nothing to label.

    It is the one asked for; else the `trouble` that goes on, until the `last` reading; else the last alarm that is
    shown; else all that is shown. Pure.
    """
    if asked.begin:
        return shown.begin, shown.end
    if trouble is not None:
        return math.floor(trouble), max(math.floor(last), math.floor(trouble)) + 1
    if shown.alarms:
        return math.floor(shown.alarms[-1].begin), math.ceil(shown.alarms[-1].end)
    return (shown.begin, shown.end) if shown.rows else None


def series_of(shown: Shown, features: Sequence[FeatureShown], last: Mapping[str, float]) -> list[Series]:
    """Returns the features that have values in the period."""
    middle = shown.view["step_ms"] / 2_000
    rows = [(min(moment(row["at"]) + middle, shown.end), row["values"]) for row in shown.rows]
    found = []
    for feature in features:
        values = ((at, row[feature.name]) for at, row in rows if feature.name in row)
        points = tuple(Point(at, each["min"], each["mean"], each["max"]) for at, each in values)
        if points:
            found.append(Series(feature, points, last.get(feature.name)))
    return found


def chart_json(language: Language, shown: Shown, series: Sequence[Series], **more: str) -> str:
    """Returns the charts for device.js: of each feature the packed values; labels, and when it was in alarm."""
    step = shown.view["step_ms"] / 1_000
    data = {
        "from": shown.begin,
        "to": shown.end,
        "step": step,
        "values": {each.feature.name: _packed(each, shown.begin, step) for each in series},
        "labels": [[band.begin, band.end, label_text(language, band.label), band.is_alarm] for band in shown.labels],
        "alarms": [[band.begin, band.end] for band in shown.alarms],
        **more,
    }
    return json.dumps(data, separators=(",", ":"))


def _packed(series: Series, begin: float, step: float) -> list[object]:
    """Returns the least value, a unit, and of each part how many steps it is after the one before, and in units: its
    mean, and how far below and above it is.

    A chart cannot show more than UNITS, and a page with whole numbers, most of them alike, is much smaller.
    """
    unit = float(f"{(series.high - series.low) / UNITS:.4g}") or 1.0

    def units(value: float) -> int:
        return round((value - series.low) / unit)

    parts = [int((point.at - begin) / step) for point in series.points]
    steps = [part - before for before, part in pairwise([0, *parts])]
    means = [units(point.mean) for point in series.points]
    below = [mean - units(point.low) for mean, point in zip(means, series.points, strict=True)]
    above = [units(point.high) - mean for mean, point in zip(means, series.points, strict=True)]
    return [series.low, unit, steps, means, below, above]


def period_text(language: Language, view: HistoryView) -> str:
    """Formats the period, without seconds unless it is short."""
    begin, end = view["from"], view["to"]
    if moment(end) - moment(begin) >= WITHOUT_SECONDS_S:
        begin, end = f"{begin[:17]}00Z", f"{end[:17]}00Z"
    return f"{period(language, begin, end)} {language.offset(end)}"


NOTES: Mapping[str, str] = {
    "late": _("Readings that arrived more than a day after they were measured may be missing."),
    "buffer": _("There was no time to read the whole buffer: its oldest readings are missing."),
    "damaged": _("Some files of the archive cannot be read: their readings are missing."),
    "archive": _("The archive cannot be read now, so only readings in the buffer are shown."),
    "slow": _("The archive is still being read, so only readings in the buffer are shown."),
    "labels": _("There are too many labeled periods to mark all. Choose a shorter period."),
}


def note_text(language: Language, note: HistoryNote) -> str:
    """Says what the history lacks."""
    if note["kind"] == "sampled":
        pattern = _("There was time to read %(share)s of the period, spread evenly. A shorter one is shown in full.")
        return language.text(pattern, share=language.percent(note["share"], 0))
    return language.text(NOTES[note["kind"]])
