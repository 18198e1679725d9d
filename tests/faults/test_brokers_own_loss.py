"""Losses of the broker are told apart from ours, which stay 0: Mosquitto with its defaults, and with our settings."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.conftest import Note, is_whole, whole_matrix
from tests.faults.trial import Trial

SENT = 3_000
QUEUE = 1_000  # Mosquitto's default of max_queued_messages
CHANGES = 100  # after which Mosquitto, with our settings, writes its snapshot


def publish_while_the_ingester_is_away(trial: Trial) -> None:
    with trial.load():
        trial.site.kill("ingest-1")
    trial.site.wait(lambda: trial.devices.quiet, "the broker to acknowledge everything")
    trial.devices.send(SENT)
    trial.site.wait(lambda: trial.devices.quiet, "the broker to acknowledge everything")


@whole_matrix
def test_mosquittos_default_queue_drops_acknowledged_messages(make_trial: Callable[..., Trial], note: Note) -> None:
    trial = make_trial(stock=True)
    publish_while_the_ingester_is_away(trial)
    trial.site.start("ingest-1")
    outcome = is_whole(trial, note)
    assert SENT - 2 * QUEUE < outcome.verdict.lost_by_broker <= SENT


@whole_matrix
def test_mosquitto_with_its_defaults_loses_its_queue_when_it_dies(make_trial: Callable[..., Trial], note: Note) -> None:
    trial = make_trial(stock=True)
    publish_while_the_ingester_is_away(trial)
    trial.site.restart("broker")
    trial.site.start("ingest-1")
    outcome = is_whole(trial, note)
    assert outcome.verdict.lost_by_broker >= SENT


@whole_matrix
def test_mosquitto_with_our_settings_loses_at_most_its_last_changes(trial: Trial, note: Note) -> None:
    publish_while_the_ingester_is_away(trial)
    trial.site.restart("broker")
    trial.site.start("ingest-1")
    outcome = is_whole(trial, note)
    assert outcome.verdict.lost_by_broker <= CHANGES


@whole_matrix
def test_a_queue_with_our_settings_keeps_everything(trial: Trial, note: Note) -> None:
    publish_while_the_ingester_is_away(trial)
    trial.site.start("ingest-1")
    outcome = is_whole(trial, note)
    assert outcome.verdict.lost_by_broker == 0
