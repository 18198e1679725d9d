"""The steps of the demo: history, training, selection, live readings. Runs in a thread beside the supervisor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from command.demo.client import Client
from command.demo.devices import Devices
from command.demo.scenarios import Scenario
from command.demo.subscriber import Subscriber
from zelador.errors import Unavailable
from zelador.link import Outgoing
from zelador.settings import Settings

log = logging.getLogger(__name__)

LIVE_RATE = 100.0  # readings a second
POLL_S = 0.25
MAX_TRAINING_S = 600.0
MAX_WAIT_S = 180.0  # for a step; Redis or the broker may hang or restart meanwhile
DEVICES_S = 0.5  # between two reads of the devices' states


@dataclass(slots=True)
class Progress:
    """The demo's progress: written by the story, shown by the view."""

    phase: str = "starting"
    detail: str = ""
    published: int = 0
    waited: int = 0
    models: list[dict[str, Any]] = field(default_factory=list)
    selected: str | None = None
    ledger: dict[str, int] = field(default_factory=dict)
    devices: list[dict[str, Any]] = field(default_factory=list)  # devices that are not ok
    alarms: dict[str, float] = field(default_factory=dict)  # device → seconds after the start


class Story:
    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        api: Client,
        stop: Event,
        started: float,
        seconds: float | None,
        rate: float = LIVE_RATE,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`settings.mqtt.url` is the broker's address for devices; `started` is time.monotonic() at the start."""
        self.scenario = scenario
        self.progress = Progress()
        self.subscriber = Subscriber(settings, "zelador-demo-subscriber")
        self._devices = Devices(settings, stop, "zelador-demo-devices")
        self._api = api
        self._stop = stop
        self._started = started
        self._seconds = seconds
        self._rate = rate
        self._tell = say
        self.live_published = 0
        self._begun = f"{int(time.time()):x}"  # in the ids of live readings: those of an earlier start are no repeats
        self._is_blind = False  # the API cannot show the plant now

    def run(self) -> None:
        """Runs all steps, from the first reading to the last prediction. Raises ZeladorError."""
        try:
            self._publish_history()
            self._train()
            self._select()
            self._go_live()
        finally:
            self._devices.close()

    def close(self) -> None:
        self.subscriber.close()

    @property
    def first_prediction_s(self) -> float | None:
        first = self.subscriber.first
        return None if first is None else round(first - self._started, 2)

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    def _publish_history(self) -> None:
        history = self.scenario.history
        devices = {sample.device_id for sample in history}
        for device in devices:
            self.subscriber.follow(device)
        self._say("history", f"{len(devices)} devices publish {len(history)} labeled readings")
        before = self.ledger()
        messages = (self._devices.message(s, f"history-{i}", with_label=True) for i, s in enumerate(history))
        self._devices.publish(messages, rate=None)
        if not self._devices.finish(MAX_WAIT_S) and not self._stop.is_set():
            raise Unavailable("the broker did not acknowledge the history in time; the log says why")
        self._until(lambda: self._more("received", before) >= len(history), "the ingester to store the history")
        here = min(len(history), self._more("repeated", before))
        self.progress.published = len(history) - here
        self.progress.waited = self.progress.ledger.get("waiting", 0)
        if here:
            self._say("history", f"{here} of them are here since an earlier start")
        else:
            self._say("history", f"{self.progress.waited} readings wait in the buffer: no model is selected yet")

    def _train(self) -> None:
        self._say("training", "comparing classifiers with PyCaret")
        run = self._api.send("POST", "/v1/runs", {"notes": f"demo, scenario {self.scenario.name}"})
        identity = run.get("id") or run["run"]
        deadline = time.monotonic() + MAX_TRAINING_S
        while not self._stop.is_set():
            run = self._api.get(f"/v1/runs/{identity}")
            if run["state"] == "done":
                break
            if run["state"] in ("failed", "cancelled"):
                raise Unavailable(f"the training run {identity} {run['state']}: {run.get('error')}")
            if time.monotonic() > deadline:
                raise Unavailable(f"the training run {identity} took longer than {MAX_TRAINING_S:g} s")
            progress = run.get("progress") or ""
            self.progress.detail = progress if isinstance(progress, str) else str(progress.get("message", ""))
            self._stop.wait(POLL_S)
        models = [
            m for m in self._api.get("/v1/models?limit=1000")["models"] if m.get("run") == identity or not m.get("run")
        ]
        self.progress.models = sorted(models, key=lambda model: model["rank"])
        for model in self.progress.models:
            score = model["holdout"].get(model["metric"])
            self._say("registered", f"{model['rank']}. {model['name']}, {model['metric']} {score} on the hold-out")

    def _select(self) -> None:
        if self._stop.is_set():
            return
        best = self.progress.models[0]["name"]
        self._api.send("PUT", "/v1/selection", {"model": best, "why": "best of the demo's run"})
        self.progress.selected = best
        self._say("selecting", f"{best}; the worker loads it")
        waiting = self.progress.published
        if waiting == 0:
            return
        self._until(lambda: self.subscriber.answered > 0, "the first prediction")
        if self.first_prediction_s is not None:
            self._say("catching up", f"first prediction {self.first_prediction_s} s after the start")
        self._until(lambda: self.subscriber.answered >= waiting, "the predictions of the waiting readings")

    def _go_live(self) -> None:
        if self._stop.is_set():
            return
        self._say("live", f"{self._rate:g} readings a second, without labels")
        published = self.progress.published
        live = self.scenario.live()
        labels: list[str] = []

        def messages() -> Iterator[Outgoing]:
            for number, sample in enumerate(live):
                labels.append(sample.label)
                self.subscriber.follow(sample.device_id)
                yield self._devices.message(sample, f"live-{self._begun}-{number}", with_label=False)

        next_look = 0.0

        def sent(number: int) -> None:
            nonlocal next_look
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + DEVICES_S
                self.follow_devices()
            self.subscriber.expect(f"live-{self._begun}-{number}", labels[number])
            self.progress.published = published + number + 1

        self.live_published = self._devices.publish(messages(), self._rate, sent, self._is_over)
        self._say("ending", "waiting for the last predictions")
        self._devices.finish(5.0)
        deadline = time.monotonic() + 5.0
        while self.subscriber.outstanding() and time.monotonic() < deadline:
            time.sleep(0.02)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def ledger(self) -> dict[str, int]:
        """Reads the ledger; returns the one last read while it cannot be read."""
        if (found := self._look("/v1/ledger")) is not None:
            self.progress.ledger = {key: value for key, value in found.items() if isinstance(value, int)}
        return self.progress.ledger

    def _more(self, count: str, before: Mapping[str, int]) -> int:
        return self.ledger().get(count, 0) - before.get(count, 0)

    def follow_devices(self) -> None:
        """Reads the devices that are not ok, and reports each alarm once."""
        states = "&".join(f"state={state}" for state in ("alarm", "unknown", "suspect", "acknowledged", "shelved"))
        if (found := self._look(f"/v1/devices?limit=20&{states}")) is None:
            return
        self.progress.devices = found["devices"]
        for device in self.progress.devices:
            name = str(device["device_id"])
            if device["state"] == "alarm" and name not in self.progress.alarms:
                self.progress.alarms[name] = round(time.monotonic() - self._started, 2)
                log.info("alarm: %s", name)
                self._tell(f"{self.progress.alarms[name]:6.1f} s  alarm: {name} needs maintenance")

    def _look(self, path: str) -> dict[str, Any] | None:
        """Returns what the API shows; None while it cannot, which is logged once."""
        try:
            found = self._api.look(path)
        except Unavailable as error:
            if not self._is_blind:
                log.warning("%s; the demo goes on", error)
            self._is_blind = True
            return None
        self._is_blind = False
        return found

    def _is_over(self) -> bool:
        first = self.subscriber.first
        return self._seconds is not None and first is not None and time.monotonic() - first >= self._seconds

    def _until(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + MAX_WAIT_S
        while not self._stop.is_set() and not condition():
            if time.monotonic() > deadline:
                raise Unavailable(f"waited {MAX_WAIT_S:g} s for {what}; the log says why")
            self._stop.wait(0.05)

    def _say(self, phase: str, detail: str) -> None:
        self.progress.phase, self.progress.detail = phase, detail
        log.info("%s: %s", phase, detail)
        self._tell(f"{time.monotonic() - self._started:6.1f} s  {phase}: {detail}")


def summary(story: Story, addresses: dict[str, Any]) -> dict[str, Any]:
    """The demo's JSON summary (docs/reference/cli.md describes each key)."""
    subscriber, progress = story.subscriber, story.progress
    measured = subscriber.measured()
    return {
        "scenario": story.scenario.name,
        "about": story.scenario.about,
        "first_prediction_s": story.first_prediction_s,
        "published": progress.published,
        "predictions": subscriber.answered,
        "lost": max(0, progress.published - subscriber.answered),
        "repeated_predictions": subscriber.repeated,
        "others": subscriber.others,
        **progress.ledger,
        "waited": progress.waited,
        "alarms": progress.alarms,
        "live": subscriber.live,
        "p50_ms": measured.p50_ms,
        "p99_ms": measured.p99_ms,
        "live_accuracy": round(subscriber.right / subscriber.live, 4) if subscriber.live else None,
        "selected": progress.selected,
        "holdout": [
            {"name": model["name"], "model_type": model["model_type"], **model["holdout"]} for model in progress.models
        ],
        "home": addresses["home"],
    }
