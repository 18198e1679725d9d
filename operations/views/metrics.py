"""The admin server's metrics: every name, its text, and its values in a SystemView. Pure.

A value that is not known is absent, not 0. The metrics of the workers are in `zelador/metrics.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from operations.views.system import RegistryState, StreamState, SystemView
from zelador.alarms.activity import CHATTERS_FROM, CHATTERS_H

NOT_COUNTED = ("waiting", "unaccounted")  # of the ledger: they go up and down


@dataclass(frozen=True, slots=True)
class MetricView:
    """A metric and its values, by the values of `labels`; without labels there is one."""

    name: str
    text: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()
    counts: bool = False  # a counter: it only grows, and Prometheus adds `_total` to its name


def metric_views(system: SystemView, stalled_after_s: float) -> Iterator[MetricView]:
    """All metrics whose values are known."""
    if system.registry is not None:
        yield from _of_registry(system.registry)
    text = "1 while the registry is not the one last seen, or cannot be read"
    yield _one("zelador_registry_trouble", text, system.registry_trouble is not None)
    if system.stream is not None:
        yield from _of_stream(system.stream, stalled_after_s)


def _of_registry(registry: RegistryState) -> Iterator[MetricView]:
    yield _one("zelador_models", "Registered models", registry.models)
    if (selection := registry.selection) is None:
        return
    selected: dict[tuple[str, ...], float] = {(selection.model, str(selection.sequence)): 1.0}
    yield MetricView("zelador_selected", "The selected model", selected, ("model", "sequence"))
    if registry.on_selection is not None:
        text = "Inference workers that run the selected model"
        yield _one("zelador_workers_on_selection", text, registry.on_selection)


def _of_stream(stream: StreamState, stalled_after_s: float) -> Iterator[MetricView]:
    ledger = stream.ledger
    for name, count in cast("Mapping[str, int]", ledger.ledger.flat()).items():
        yield _one(f"zelador_ledger_{name}", f"Readings {name.replace('_', ' ')}", count, name not in NOT_COUNTED)
    stalled = f"1 while readings wait and none was settled for {stalled_after_s:g} s"
    yield _one("zelador_lag_seconds", "Age of the oldest waiting reading", ledger.lag_s)
    yield _one("zelador_pipeline_stalled", stalled, stream.stalled)
    yield _one("zelador_waiting_bytes", "Size of the waiting readings in bytes, by the counters", ledger.waiting_bytes)
    yield _one("zelador_devices", "Known devices", ledger.devices)
    states: dict[tuple[str, ...], float] = {(state,): float(count) for state, count in stream.states.items()}
    yield MetricView("zelador_devices_in_state", "Devices by state", states, ("state",))
    yield _one("zelador_alarms_per_minute", "Devices that went into alarm in the last minute", stream.alarms.per_minute)
    chattering = f"Devices that went into alarm {CHATTERS_FROM} times or more in the last {CHATTERS_H} hours"
    yield _one("zelador_devices_chattering", chattering, stream.alarms.chattering)
    silent = "1 while nothing arrives from any device: look at the broker and the network"
    yield _one("zelador_fleet_silent", silent, stream.alarms.fleet_silent)
    lost = "Changes of devices that the webhook never got, because too many waited or for too long"
    yield _one("zelador_webhook_lost", lost, stream.alarms.webhook_lost, counts=True)
    forgotten = "Devices forgotten because of ZELADOR_REDIS__KEEP_DEVICES"
    yield _one("zelador_devices_forgotten", forgotten, ledger.devices_forgotten, counts=True)
    yield _one("zelador_sequence_missing", "Sequence numbers that never arrived", ledger.missing)
    yield _one("zelador_quarantine_entries", "Messages in quarantine", ledger.kept)
    size = "Size of the messages in quarantine in bytes: topic, reason and payload"
    yield _one("zelador_quarantine_bytes", size, ledger.kept_bytes)
    full = "How full the quarantine is, by its nearest limit; at 1 it discards the oldest"
    yield _one("zelador_quarantine_fill_ratio", full, stream.quarantine_fill)
    discarded = "Messages discarded from quarantine, by hand or because it was full"
    yield _one("zelador_quarantine_discarded", discarded, ledger.discarded, counts=True)
    if stream.newest_at is not None:
        newest = "When the newest reading was stored, in seconds since 1970"
        yield _one("zelador_newest_reading_timestamp_seconds", newest, stream.newest_at / 1000)
    if stream.broker_dropped is not None:
        dropped = "Messages that the broker dropped since it started, for any client"
        yield _one("zelador_broker_dropped_messages", dropped, stream.broker_dropped, counts=True)
    if (archive := ledger.ledger.archive) is not None:
        yield _one("zelador_archive_archived", "Readings written to the archive", archive.archived, counts=True)
        yield _one("zelador_archive_waiting", "Readings that wait for the archive", archive.waiting)
        missed = "Readings that left Redis before the archive took them, or that it could not read"
        yield _one("zelador_archive_missed", missed, archive.missed)
        yield _one("zelador_archive_lag_seconds", "Age of the oldest of those that wait", ledger.archive_lag_s)
        unkept = "Predictions that the archive did not get, because too many waited"
        yield _one("zelador_archive_outcomes_missed", unkept, archive.outcomes_missed, counts=True)
    workers: dict[tuple[str, ...], float] = {
        (service,): float(count) for service, count in sorted(stream.workers.items())
    }
    yield MetricView("zelador_workers", "Processes with a heartbeat", workers, ("service",))


def _one(name: str, text: str, value: float, counts: bool = False) -> MetricView:
    return MetricView(name, text, {(): float(value)}, counts=counts)
