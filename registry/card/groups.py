"""Tables of a report: scores by class, and by device with the worst named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registry.card.blocks import Block, Table, Words
from registry.card.numbers import count, number, percent, quoted, score
from registry.metadata import listed, mapping


def groups(report: Mapping[str, Any]) -> Iterator[Block]:
    classes = [mapping(each) for each in listed(report.get("by_class"))]
    if classes:
        rows = tuple(
            (
                str(each.get("label")),
                count(each.get("rows")),
                *(score(each.get(name)) for name in ("precision", "recall", "f1")),
            )
            for each in classes
        )
        yield Table(("Class", "Readings", "Precision", "Recall", "F1"), rows, frozenset({1, 2, 3, 4}))
    by_device = mapping(report.get("by_device"))
    devices = [mapping(each) for each in listed(by_device.get("rows"))]
    if devices:
        yield Words(_worst(by_device, devices))
        rows = tuple(
            (str(each.get("device")), count(each.get("rows")), percent(each.get("errors")), score(each.get("score")))
            for each in devices
        )
        head = ("Device", "Readings", "Errors", str(by_device.get("metric")))
        yield Table(head, rows, frozenset({1, 2, 3}))


def _worst(by_device: Mapping[str, Any], devices: list[Mapping[str, Any]]) -> str:
    total, worst = number(by_device.get("devices")), by_device.get("worst")
    listed_ = "" if total is None or total <= len(devices) else f" The table has the worst {len(devices)} of {total:g}."
    errors = next((each.get("errors") for each in devices if each.get("device") == worst), None)
    if not isinstance(worst, str) or errors is None:
        return f"No device has a wrong answer.{listed_}"
    return f"The worst device is {quoted(worst)}: {percent(errors)} of its answers are wrong.{listed_}"
