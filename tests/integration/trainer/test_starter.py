"""Runs that start automatically, and the decision of the policy on a run: on a real Redis and a real registry."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
import redis

from operations.actor import Actor
from registry.registry import Registry
from registry.run_document import RunDocument
from tests.archives import archive_buffer
from tests.integration.test_repeats import NOW, Site, sample
from tests.memory_audit import MemoryAudit
from tests.small_models import select_one, upload
from trainer import starter as module
from trainer.new_labels import NewLabels
from trainer.promotion import promote
from trainer.starter import Starter
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.clock import now_iso
from zelador.labels import Label, LabelStore
from zelador.settings import Settings
from zelador.training_queue import Consumer, TrainingQueue


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    with connect_redis(settings.redis) as connected:
        yield connected


def runs(client: redis.Redis, settings: Settings) -> list[str]:
    """The notes of all runs, the oldest first."""
    found = TrainingQueue(client, settings.redis.prefix).list()
    return [run.request.get("notes", "") for run in reversed(found)]


def end(client: redis.Redis, settings: Settings) -> None:
    """Takes the waiting run, and ends it."""
    trainer = Consumer(client, settings.redis.prefix)
    job = trainer.next("trainer-1", 0.05) or trainer.next("trainer-1", 0.05)
    assert job is not None
    trainer.finish(job, "failed", error="a test")


def test_the_schedule_starts_a_run_once_however_many_trainers_there_are(
    client: redis.Redis, settings: Settings, tmp_path: Path
) -> None:
    wanted = settings.model_copy(update={"training": settings.training.model_copy(update={"schedule": "30 2 * * *"})})
    now, registry, audit = [datetime(2026, 11, 24, 2, 29, tzinfo=timezone.utc)], Registry.open(tmp_path), MemoryAudit()
    starters = [
        Starter(wanted, registry, client, lambda why: Actor("trainer-1", audit, via=why), lambda: now[0])
        for _ in range(2)
    ]
    starters[0].step()
    assert runs(client, settings) == []
    now[0] += timedelta(minutes=1)
    starters[0].step()
    end(client, settings)  # before the other trainer looks
    for _ in range(3):
        for each in starters:
            each.step()
        now[0] += timedelta(minutes=1)
    assert runs(client, settings) == ["started by the schedule (2026-11-24 02:30 UTC)"]
    now[0] += timedelta(days=1)
    starters[0].step()
    now[0] += timedelta(days=1)
    starters[1].step()  # the run of the day before still waits: one at a time
    assert runs(client, settings)[1:] == ["started by the schedule (2026-11-25 02:30 UTC)"]
    assert [act[:2] for act in audit.acts] == [
        ("trainer-1 (the schedule (2026-11-24 02:30 UTC))", "run asked for"),
        ("trainer-1 (the schedule (2026-11-25 02:30 UTC))", "run asked for"),
    ]


def test_enough_new_labels_start_a_run(
    client: redis.Redis, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings that arrive with a label count, and readings that a later label covers, each of them once."""
    monkeypatch.setattr(module, "LABEL_CHECK_S", 0.0)
    wanted = settings.model_copy(update={"training": settings.training.model_copy(update={"on_new_labels": 5})})
    site, store = Site(settings), LabelStore(client, settings.redis.prefix)
    starter = Starter(wanted, Registry.open(tmp_path), client, lambda why: Actor("trainer-1", MemoryAudit(), via=why))
    site.send(*(sample(i, ts=NOW + 1_000 * i, label="no" if i < 3 else None) for i in range(9)))
    starter.step()
    assert runs(client, settings) == []  # three with their own
    added = round(time.time() * 1000) - 1_000  # a label of the millisecond in which a run is requested counts again
    store.add([Label("a", "press", NOW, NOW + 4_000, "yes", "", "somebody", added)])
    starter.step()
    assert runs(client, settings) == []  # one more: the others in the period have a label already
    store.add([Label("b", "press", NOW + 4_000, None, "yes", "", "somebody", added)])
    starter.step()
    starter.step()
    assert runs(client, settings) == ["started by 9 readings labeled since the last run"]
    end(client, settings)
    starter.step()
    assert len(runs(client, settings)) == 1  # nothing since
    site.send(*(sample(20 + i, ts=NOW + 20_000 + i, label="no") for i in range(5)))
    starter.step()
    assert len(runs(client, settings)) == 2


def test_labels_of_archived_readings_are_new_too(
    client: redis.Redis, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work orders describe last week, whose readings have left the buffer. Overlapping periods count once."""
    archive = settings.archive.model_copy(update={"url": str(tmp_path / "archive")})
    datasets = settings.datasets.model_copy(update={"cache": tmp_path / "datasets"})
    settings = settings.model_copy(update={"archive": archive, "datasets": datasets})
    site, store = Site(settings), LabelStore(client, settings.redis.prefix)
    counter = NewLabels(client, settings)
    site.send(*(sample(i, ts=NOW + 1_000 * i) for i in range(9)))
    archive_buffer(tmp_path / "archive", client, settings.redis.prefix, ("lux", "temperature", "vibration"))
    client.xtrim(Keys(settings.redis.prefix).readings, maxlen=2, approximate=False)
    moment = round(time.time() * 1000)
    assert counter.since(moment) == 0
    for id_, begin, end in (("a", 0, 3_000), ("b", 2_000, 5_000), ("c", 5_000, 6_000), ("d", 8_000, None)):
        store.add([Label(id_, "press", NOW + begin, end and NOW + end, "yes", "", "somebody", moment)])
    assert counter.since(moment) == 7
    site.send(sample(20, ts=NOW + 8_500, label="no"), sample(21, ts=NOW + 7_000, label="no"))
    assert counter.since(moment) == 9
    store.undo("d", "somebody", moment)
    assert counter.since(moment) == 8
    store.undo("b", "somebody", moment)
    assert counter.since(moment) == 6


def a_run(registry: Registry, name: str, difference: float) -> RunDocument:
    """A run whose best model, `name`, is better than the selected one by `difference`."""
    holdout = {"sha256": "a", "from": None, "to": None}
    sure = (difference - 0.05, difference + 0.05)
    best = {"name": name, "rank": 1, "model_type": "LogisticRegression", "served_by": "onnx", "agreement": {},
            "metrics": {}, "holdout": {}, "confusion": {"labels": [], "counts": []},
            "difference": {"F1": difference}, "difference_intervals": {"F1": sure}}  # fmt: skip
    found = {
        "run": f"20261124_115838-{len(registry.runs()):04x}", "by": "test", "started_at": now_iso(), "state": "done",
        "metric": "F1", "holdout_rows": 300, "models": [best],
        "split": {"kind": "time", "asked": "auto", "folds": 5, "folds_by": "block", "blocks": 12, "holdout_rows": 300,
                  "holdout_blocks": 5, "questions": {}, "notes": [], "holdout": holdout},
        "verdict": {"kind": "clear", "sentence": "It is better.", "tied": [], "p": 0.005},
        "reference": {"name": registry.sync().selection.model, "model_type": None, "holdout": {},
                      "holdout_intervals": {}, "note": None},
    }  # fmt: skip
    registry.put_run(found["run"], cast(RunDocument, found))
    return cast(RunDocument, found)


def test_the_policy_selects_the_better_model_and_writes_down_what_it_decided(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, audit = select_one(tmp_path, "old"), MemoryAudit()
    for name in ("new", "newer"):
        registry.save(name, upload(), by="test")
    woken = list[int]()
    actor = Actor("trainer-1", audit, via="run", wake=woken.append)
    kept = promote(a_run(registry, "new", 0.04), registry, actor, settings)  # its interval contains 0
    assert (kept["promotion"]["promoted"], registry.sync().selection.model) == (False, "old")
    assert registry.run(kept["run"])["promotion"] == {**kept["promotion"], "interval": pytest.approx((-0.01, 0.09))}
    assert [act[1] for act in audit.acts] == ["promotion decided"]

    kept = promote(a_run(registry, "new", 0.2), registry, actor, settings)
    chosen = registry.sync().selection
    assert (chosen.model, chosen.by, chosen.why) == ("new", "trainer-1", kept["promotion"]["sentence"])
    assert "F1 +0.200 (+0.150 to +0.250)" in chosen.why
    assert woken == [chosen.sequence]
    assert [act[1] for act in audit.acts] == ["promotion decided", "model selected", "promotion decided"]
    assert kept["promotion"]["holdout_uses"] == 1

    plant = settings.model_copy(update={"features": ("lux",)})  # which does not send all features of the model
    kept = promote(a_run(registry, "newer", 0.2), registry, actor, plant)
    assert (kept["promotion"]["reason"], registry.sync().selection.model) == ("not_selected", "new")
    assert "temperature" in kept["promotion"]["sentence"]

    mute = Actor("trainer-1", MemoryAudit(refusals=99))  # selected, and only the record of it failed
    kept = promote(a_run(registry, "newer", 0.2), registry, mute, settings)
    assert (kept["promotion"]["promoted"], registry.sync().selection.model) == (True, "newer")
    monkeypatch.setattr("trainer.policy.MAX_USES", 4)
    kept = promote(a_run(registry, "new", -0.2), registry, actor, settings)
    assert "judged 4 promotions before" in kept["promotion"]["sentence"]
