"""The trainer process: takes runs from the training queue, one at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TypeVar

import redis

from operations.actor import Actor, waker
from operations.audit_stream import AuditStream
from registry.registry import Registry
from registry.restored.open import open_registry
from registry.restored.watch import Watch
from registry.run_document import RunDocument, result_of
from trainer.promotion import promote
from trainer.run.options import options_of
from trainer.run.process import Cancelled, Child, Control
from trainer.run.recorded import recorded_by
from trainer.run.recorder import Recorder
from trainer.run.run_end import note_end, save_events
from trainer.starter import Starter
from zelador import endpoints
from zelador.buffer.connection import RedisConnection, Stopping
from zelador.errors import ZeladorError
from zelador.heartbeat import Heartbeat
from zelador.metrics import TrainerMetrics
from zelador.settings import Settings
from zelador.training_queue import Consumer, Job
from zelador.training_queue.consumer import LEASE_S
from zelador.training_queue.event import RunEvent
from zelador.training_queue.stage import PROMOTING

log = logging.getLogger(__name__)

SERVICE = "trainer"
TAKE_WAIT_S = 1.0  # for a run to be submitted
POLL_S = 1.0  # for a cancellation
T = TypeVar("T")


def run(settings: Settings, stop: Event) -> None:
    """Takes runs until `stop` is set. Raises Unavailable if Redis or the registry cannot be used at startup."""
    connection = RedisConnection(settings.redis, stop)
    connection.open(settings.redis.start_patience_s)
    registry = open_registry(settings)
    instance = settings.training.instance
    heartbeat = Heartbeat(connection.client, settings.redis.prefix, SERVICE, instance)
    by = f"the trainer {instance}"
    watch = Watch(registry, connection.client, settings.redis.prefix, by, settings.registry.check_s)
    watch.start(stop)
    metrics = TrainerMetrics()
    limit_s = settings.health.stalled_after_s
    close_probes = endpoints.serve(
        settings.metrics, metrics.registry, lambda: watch.trouble or away(connection, time.monotonic(), limit_s)
    )
    log.info("waiting for runs")
    try:
        Trainer(settings, connection, registry, watch, heartbeat, stop, metrics).run()
    except Stopping as stopped:
        log.info("%s", stopped)
    finally:
        stop.set()
        heartbeat.stop()
        watch.join()
        close_probes()
        log.info("stopped")


def away(connection: RedisConnection, now: float, limit_s: float) -> str | None:
    """Returns why the trainer cannot take runs: Redis refuses, or has not answered for `limit_s` seconds; else None."""
    if connection.refusal is not None:
        return f"Redis refuses: {connection.refusal}"
    if connection.error is not None and now - connection.away_since > limit_s:
        return f"for {now - connection.away_since:.0f} s it {connection.error}"
    return None


class Trainer:
    def __init__(
        self,
        settings: Settings,
        connection: RedisConnection,
        registry: Registry,
        watch: Watch,
        heartbeat: Heartbeat,
        stop: Event,
        metrics: TrainerMetrics,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._connection = connection
        self._registry = registry
        self._watch = watch
        self._heartbeat = heartbeat
        self._stop = stop
        self._queue = Consumer(connection.client, settings.redis.prefix)
        self._name = settings.training.instance
        self._wait_s = min(TAKE_WAIT_S, settings.redis.timeout_s / 2)  # a longer wait would time out
        self._starter = Starter(settings, registry, connection.client, self._actor)
        self._restarted = True  # until no job from before the restart is left
        self._warm: Child | None = None  # for the first run

    def run(self) -> None:
        if self._settings.training.warm:
            self._warm = Child(nice=self._settings.training.nice)
        try:
            while not self._stop.is_set():
                self.step()
        finally:
            if self._warm is not None:
                self._warm.close()

    def step(self) -> None:
        """Takes and trains one run, if there is one. Raises Stopping."""
        self._heartbeat.beat(state="idle", registry_trouble=self._watch.trouble)
        if abandoned := self._call(lambda: self._queue.abandoned(self._name, own=self._restarted)):
            if abandoned.run.state == "running":
                why = "the trainer was stopped in the middle of this run; start the run again"
                note_end(self._registry, abandoned.run.id, why)
                self._call(lambda: self._queue.finish(abandoned, "failed", error=why))
                log.error("run %s: %s", abandoned.run.id, why)
            else:
                self._run_job(abandoned)
            return
        self._restarted = False
        self._call(self._starter.step)
        job = self._call(lambda: self._queue.next(self._name, self._wait_s))
        if job is not None:
            self._run_job(job)

    def _run_job(self, queued: Job) -> None:
        job = self._call(lambda: self._queue.begin(queued))
        log.info("run %s, submitted by %s, is starting", job.run.id, job.run.by)
        done, control = threading.Event(), Control(self._stop)
        alive = threading.Thread(target=self._stay_alive, args=(job, done, control), name="lease", daemon=True)
        alive.start()
        began, outcome = time.monotonic(), "failed"
        self._metrics.running.set(1)
        try:
            document = self._train(job, control)
        except Cancelled:
            outcome = "cancelled"
            by = self._call(lambda: self._queue.cancelled_by(job))
            self._call(lambda: self._queue.finish(job, "cancelled", error=f"cancelled by {by}"))
            log.info("run %s was cancelled by %s", job.run.id, by)
        except (ZeladorError, redis.RedisError, OSError) as error:
            reason = str(error)
            log.error("run %s failed: %s", job.run.id, reason)
            self._call(lambda: self._queue.finish(job, "failed", error=reason))
        else:
            outcome = "done"
            self._call(lambda: self._queue.finish(job, "done", result=result_of(document)))
            log.info(
                "run %s is done: %s",
                job.run.id,
                ", ".join(model["name"] or model["model_type"] for model in document["models"]),
            )
        finally:
            self._metrics.running.set(0)
            self._metrics.ended(outcome, time.monotonic() - began)
            done.set()
            alive.join()

    def _train(self, job: Job, control: Control) -> RunDocument:
        settings, request = self._settings, job.run.request
        training = settings.training
        options = options_of(training, request, job.run.id, job.run.by)
        recorder = Recorder(
            options.metric, partial(self._report, job), partial(save_events, self._registry, job.run.id)
        )
        recorder.add("started", "fetching the labeled readings")
        with self._child() as child:  # imports PyCaret while the readings are fetched
            from trainer.run.job import train  # not before: a trainer that waits needs no scikit-learn
            from trainer.source import from_stream, query_for

            dataset = from_stream(self._connection.client, settings, query_for(settings, request))
            for note in dataset.notes:
                log.info("run %s: %s", job.run.id, note)
            record = recorded_by(partial(self._actor, f"run {job.run.id}", job.run.by), self._stop)
            document = train(dataset, settings, self._registry, options, self._stop, recorder, child, control, record)
        if training.promote == "better":
            recorder.add("step", PROMOTING)
            promote(document, self._registry, self._actor(f"run {job.run.id}", job.run.by), settings)
        return document

    def _child(self) -> Child:
        """Returns the warm child if it still runs, else a new one."""
        warm, self._warm = self._warm, None
        if warm is not None and not warm.ended:
            return warm
        if warm is not None:
            warm.close()
        return Child(nice=self._settings.training.nice)

    def _actor(self, why: str, run_by: str | None = None) -> Actor:
        """Returns the actor of the trainer's own acts. `run_by` is who requested the run in which it acts."""
        client, prefix = self._connection.client, self._settings.redis.prefix
        audit, wake = AuditStream(client, prefix), waker(client, prefix)
        asked_by = None if run_by == self._name else run_by
        return Actor(self._name, audit, via=why, wake=wake, on_behalf_of=asked_by)

    def _report(self, job: Job, event: RunEvent) -> None:
        try:
            self._queue.report(job, event)
        except (redis.RedisError, OSError) as error:
            log.debug("progress was not reported: %s", error)  # the run continues

    def _stay_alive(self, job: Job, done: Event, control: Control) -> None:
        """Renews the lease, and passes on requests to cancel the run or to finish it early."""
        was_asked = False
        renewed = time.monotonic()
        while not done.wait(POLL_S):
            try:
                if not control.cancelled.is_set() and self._queue.cancelled_by(job) is not None:
                    control.cancelled.set()
                if not was_asked and self._queue.wanted_by(job) is not None:
                    was_asked = True
                    control.enough.set()
                if time.monotonic() - renewed >= LEASE_S / 5:
                    renewed = time.monotonic()
                    self._heartbeat.beat(state="training", run=job.run.id, registry_trouble=self._watch.trouble)
                    self._queue.renew(self._name, job)
            except (redis.RedisError, OSError) as error:
                log.warning("the lease of run %s was not renewed: %s", job.run.id, error)

    def _call(self, function: Callable[[], T]) -> T:
        return self._connection.call("look for runs", function)
