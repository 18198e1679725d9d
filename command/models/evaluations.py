"""Reads the evaluations in a model's metadata, which may contain anything, for display."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kept:
    """An evaluation on a file. Two evaluations on the same file have the same `digest`."""

    source: str
    digest: str
    title: str
    metrics: Mapping[str, Any]
    intervals: Mapping[str, Any]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        for metric, value in self.metrics.items():
            if isinstance(value, int | float):
                span = interval_of(self.intervals.get(metric))
                yield str(metric), f"{value:.4f}", "" if span is None else f"{span[0]:.3f} – {span[1]:.3f}"


def evaluations_of(facts: Mapping[str, Any]) -> list[Kept]:
    """Returns the evaluations, newest first. Entries in another format are skipped."""
    found = facts.get("evaluations")
    return [kept for each in found if (kept := _kept(each)) is not None] if isinstance(found, list) else []


def interval_of(found: object) -> tuple[float, float] | None:
    if isinstance(found, list | tuple) and len(found) == 2 and all(isinstance(each, int | float) for each in found):
        return float(found[0]), float(found[1])
    return None


def _kept(found: object) -> Kept | None:
    if not isinstance(found, Mapping):
        return None
    data, metrics, intervals = found.get("data"), found.get("metrics"), found.get("intervals")
    if not isinstance(data, Mapping) or not isinstance(metrics, Mapping):
        return None
    source, digest = str(data.get("source")), str(data.get("digest"))
    of = f", positive class {found['positive']!r}" if found.get("positive") else ""
    title = (
        f"Evaluated on {source} (SHA-256 {digest[:12]}), {data.get('rows')} rows, {str(found.get('at'))[:10]}{of}; "
        f"intervals by {found.get('by')}"
    )
    return Kept(source, digest, title, metrics, intervals if isinstance(intervals, Mapping) else {})
