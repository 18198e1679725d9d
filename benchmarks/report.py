"""The report as text for people and as a JSON object for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load import BACKLOG
from benchmarks.run import Result
from benchmarks.servers import BROKER_SETTINGS, REDIS_SETTINGS
from benchmarks.verdict import DISTURBED, Counted, Pair, backlog_grew, middle, percentile

PROCESSES = ("load", "subscriber", "broker", "redis", "ingest", "inference")


@dataclass(slots=True)
class Measured:
    """The results of a benchmark; incomplete if it was stopped."""

    machine: Mapping[str, str]
    wanted: int  # number of undisturbed pairs to measure
    readings: int
    lane: bool
    profiled: bool = False
    pairs: list[Pair] = field(default_factory=list)
    sustained: tuple[Result, float] | None = None  # the open loop, and its readings per second
    paced: list[tuple[Result, float]] = field(default_factory=list)  # the latency runs, and their readings per second
    ledger: dict[str, int] | None = None
    failures: list[str] = field(default_factory=list)
    devices: int = 50
    alarms: bool = True

    @property
    def product(self) -> list[Result]:
        """Every run of the product, including those of discarded pairs: a loss counts there too."""
        longer = [run for run, _ in ([self.sustained] if self.sustained else []) + self.paced]
        return [pair.product for pair in self.pairs if pair.product is not None] + longer

    @property
    def latency(self) -> tuple[Result, float] | None:
        """The least disturbed of the latency runs."""
        return min(self.paced, key=lambda run: run[0].others, default=None)


def document(found: Measured, counted: Counted) -> dict[str, Any]:
    """The JSON object. Values that were not measured are null."""
    pairs = counted.pairs
    latency = found.latency[0] if found.latency else None
    latencies = latency.latencies_ms if latency else ()
    values: dict[str, Any] = {
        "end_to_end_per_s": _rounded(_median(pairs, "product"), 0),
        "floor_qos0_per_s": _rounded(_median(pairs, "qos0"), 0),
        "floor_qos1_per_s": _rounded(_median(pairs, "qos1"), 0),
        "ratio": _rounded(middle([pair.ratio for pair in pairs]), 3),
        "ratio_qos1": _rounded(middle([pair.ratio_qos1 for pair in pairs]), 3),
        "p50_ms": _rounded(percentile(latencies, 0.5), 2),
        "p99_ms": _rounded(percentile(latencies, 0.99), 2),
        "latency_others": _rounded(latency.others if latency else None, 3),
        "cpu_us": {name: round(value, 2) for name, value in _cpu(pairs, "product").items()},
        "lost": sum(run.lost for run in found.product),
        "repeated": sum(run.repeated for run in found.product),
        "pairs": len(pairs),
        "pairs_wanted": found.wanted,
        "pairs_discarded": len(counted.discarded),
        "disturbed": counted.disturbed,
        "readings": found.readings,
        "lane": found.lane,
        "devices": found.devices,
        "alarms": found.alarms,
        "unaccounted": found.ledger["unaccounted"] if found.ledger else None,
        "failed": bool(found.failures),
    }
    if found.sustained is not None:
        run, per_s = found.sustained
        values |= {
            "sustained_per_s": round(per_s),
            "backlog_start": round(run.backlog_start),
            "backlog_end": round(run.backlog_end),
            "backlog_grew": backlog_grew(run, per_s),
            "sustained_others": round(run.others, 3),
        }
    return values


def text(found: Measured, counted: Counted) -> str:
    settings = {**BROKER_SETTINGS, **REDIS_SETTINGS}
    lines = [
        "machine   " + ", ".join(f"{name} {value}" for name, value in found.machine.items()),
        "settings  " + ", ".join(f"{name} {value}" for name, value in settings.items()),
        f"          TCP on the loopback, QoS 1, closed loop, MQTT lane {'on' if found.lane else 'off'}, "
        f"{found.devices:,} devices, their states {'on' if found.alarms else 'off'}, "
        f"{found.readings:,} readings a run, the first tenth warm-up, and {BACKLOG:,} more untimed",
    ]
    if found.profiled:
        lines.append("          UNDER A PROFILER: the rates below are not meaningful")
    lines += ["", _row("pair", "floor QoS 0/s", "floor QoS 1/s", "product/s", "ratio", "to QoS 1", "others")]
    for number, pair in enumerate(found.pairs, 1):
        lines.append(_pair_row(str(number), pair) + (f"   discarded: {pair.fault}" if pair.fault else ""))
    lines += _summary(counted, found.wanted)
    lines += ["", _row("CPU µs a reading", *PROCESSES, "relay")]
    for name, part in (("product", "product"), ("floor QoS 0", "qos0"), ("floor QoS 1", "qos1")):
        spent = _cpu(counted.pairs, part)
        relayed = {name: value for name, value in spent.items() if name.startswith("relay")}
        cells = [f"{spent[process]:.1f}" if process in spent else "" for process in PROCESSES]
        if spent:
            lines.append(_row(name, *cells, f"{sum(relayed.values()):.1f}" if relayed else ""))
    lines += ["", *_longer(found)]
    if found.ledger is not None:
        lines.append("ledger    " + ", ".join(f"{name} {value:,}" for name, value in found.ledger.items()))
    lines += [f"FAILED    {failure}" for failure in found.failures]
    return "\n".join(lines)


def _summary(counted: Counted, wanted: int) -> list[str]:
    pairs = counted.pairs
    lines = []
    for name, pick in (("median", middle), ("lowest", _lowest), ("highest", _highest)):
        rates = [pick([run.per_s if run else None for run in column]) for column in _columns(pairs)]
        ratios = [pick([pair.ratio for pair in pairs]), pick([pair.ratio_qos1 for pair in pairs])]
        lines.append(_row(name, *(_number(r) for r in rates), *(_number(r, 3) for r in ratios), ""))
    if counted.discarded:
        lines.append(
            f"{len(counted.discarded)} pairs discarded (others used more than {DISTURBED:.0%}, or a floor lost)"
        )
    if not counted.disturbed and len(pairs) < wanted:
        lines.append(f"ONLY {len(pairs)} OF {wanted} PAIRS COUNT: measure again on a quiet machine")
    if counted.disturbed:
        lines.append("NO PAIR WAS UNDISTURBED: the figures are from disturbed pairs; measure again on a quiet machine")
    return lines


def _longer(found: Measured) -> list[str]:
    lines = []
    if found.sustained is not None:
        run, per_s = found.sustained
        grew = "GREW" if backlog_grew(run, per_s) else "held"
        lines.append(
            f"open loop {per_s:,.0f} readings/s for {run.sent / per_s:.0f} s: {grew}, backlog {run.backlog_start:,.0f} "
            f"at the beginning, {run.backlog_end:,.0f} at the end, others {run.others:.0%}"
        )
    if found.latency is not None:
        run, per_s = found.latency
        p50, p99 = percentile(run.latencies_ms, 0.5), percentile(run.latencies_ms, 0.99)
        lines.append(
            f"latency   at {per_s:,.0f} readings/s: p50 {_number(p50, 2)} ms, p99 {_number(p99, 2)} ms "
            f"(publish to the subscriber's receipt, {run.received:,} readings, others {run.others:.0%})"
        )
    if not found.product:
        return lines
    lost, repeated = sum(run.lost for run in found.product), sum(run.repeated for run in found.product)
    lines.append(
        f"exactness {sum(run.sent for run in found.product):,} readings sent, {lost} lost, {repeated} repeated"
    )
    return lines


def _pair_row(name: str, pair: Pair) -> str:
    rates = (_number(run.per_s if run else None) for run in (pair.qos0, pair.qos1, pair.product))
    return _row(name, *rates, _number(pair.ratio, 3), _number(pair.ratio_qos1, 3), f"{pair.others:.0%}")


def _columns(pairs: Sequence[Pair]) -> list[list[Result | None]]:
    return [[pair.qos0 for pair in pairs], [pair.qos1 for pair in pairs], [pair.product for pair in pairs]]


def _median(pairs: Sequence[Pair], part: str) -> float | None:
    return middle([run.per_s for pair in pairs if (run := getattr(pair, part)) is not None])


def _cpu(pairs: Sequence[Pair], part: str) -> dict[str, float]:
    runs: list[Result] = [run for pair in pairs if (run := getattr(pair, part)) is not None]
    names = list(runs[0].cpu_us) if runs else []
    return {name: middle([run.cpu_us.get(name) for run in runs]) or 0.0 for name in names}


def _row(first: str, *cells: str) -> str:
    return f"{first:<18}" + "".join(f"{cell:>15}" for cell in cells).rstrip()


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _rounded(value: float | None, digits: int) -> float | int | None:
    return None if value is None else round(value, digits or None)


def _lowest(values: Sequence[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _highest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
