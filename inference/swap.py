"""Hot swap: holds the live model, and loads a newly selected one in a background thread.

The inference loop takes one immutable lineup per batch, so a swap never stalls the stream. A model that cannot be
loaded is refused with an error in the log, and the previous model stays live. The model also stays live when the
registry was replaced (registry/restored/watch.py), so that readings do not wait for an operator.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import redis

from inference.hang import HangGuard
from inference.lineup import Lineup, Live
from inference.model import Model
from registry.cage.template import TEMPLATE
from registry.restored.open import open_registry
from registry.restored.watch import Watch
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.errors import Unavailable, ZeladorError
from zelador.retry import backoff
from zelador.settings import Settings

log = logging.getLogger(__name__)

RETRY_CAP_S = 30.0
WARM_AFTER_S = 5.0  # without a model: then the process that checks it is started, which takes seconds


class Selected(Protocol):
    @property
    def model(self) -> str: ...
    @property
    def sequence(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """A selection whose model could not be loaded."""

    name: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class SwapState:
    live: Live | None = None
    refusal: Refusal | None = None


def next_state(
    state: SwapState,
    selected: Selected | None,
    load: Callable[[str], Model],
    features: tuple[str, ...],
    digest: str | None = None,
    training: Mapping[str, object] | None = None,
) -> SwapState:
    """The state after loading the selected model, if it is not yet live. `load` may raise a ZeladorError.

    `digest` is the selected model's. It is compared too, because in a restored registry the same selection number may
    mean another model. `training` is its metadata.
    """
    if selected is None:
        return SwapState()
    live = state.live
    if live is not None and live.sequence == selected.sequence and digest in (None, live.model.digest):
        return SwapState(live)
    try:
        model = load(selected.model)
    except ZeladorError as error:
        return SwapState(state.live, Refusal(selected.model, selected.sequence, str(error)))
    if missing := [name for name in model.features if name not in features]:
        reason = f"it needs {', '.join(missing)}, which ZELADOR_FEATURES does not list"
        return SwapState(state.live, Refusal(selected.model, selected.sequence, reason))
    return SwapState(Live(model, selected.sequence, training or {}))


class Swap:
    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        """Raises Unavailable when the registry cannot be opened."""
        self._settings = settings
        self._stop = stop
        self._registry = open_registry(settings)
        self._client = connect_redis(settings.redis)
        by = f"the worker {settings.inference.instance}"
        self._registry_watch = Watch(self._registry, self._client, settings.redis.prefix, by, settings.registry.check_s)
        self._read_error: str | None = None  # why the last read of the registry failed
        self._guard = HangGuard(settings, stop)
        self._state = SwapState()
        self._attempt = 0
        self._next_try = 0.0
        self._thread = threading.Thread(target=self._watch, name="swap", daemon=True)

    @property
    def live(self) -> Live | None:
        return self._state.live

    @property
    def lineup(self) -> Lineup:
        """The models for the next batch."""
        return Lineup(self._state.live)

    def facts(self) -> dict[str, object]:
        """The worker's model and refusal, for its heartbeat. The API computes a rollout's progress from them."""
        state = self._state
        return {
            "model": state.live.model.name if state.live else None,
            "model_digest": state.live.model.digest if state.live else None,
            "selection": state.live.sequence if state.live else None,
            "refused_model": state.refusal.name if state.refusal else None,
            "refused_selection": state.refusal.sequence if state.refusal else None,
            "refused_reason": state.refusal.reason if state.refusal else None,
            "registry_trouble": self.registry_trouble,
        }

    @property
    def registry_trouble(self) -> str | None:
        """The problem with the registry, if it is not the one last seen; the live model is kept."""
        return self._registry_watch.trouble

    def start(self) -> None:
        """Loads the selected model, then watches for new selections in a separate thread."""
        self.look()
        self._guard.start()
        self._registry_watch.start(self._stop)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(timeout=5.0)
        self._registry_watch.join()
        self._client.close()

    def look(self) -> None:
        """Reads new entries of the log, and loads the selected model if it is not yet live."""
        try:
            self._registry.changed()
        except (ZeladorError, OSError) as error:
            if str(error) != self._read_error:  # log it once, not at every poll
                log.error("the registry cannot be read, the live model is kept: %s", error)
            self._read_error = str(error)
            return
        self._read_error = None
        state = self._registry.state
        selected = state.selection
        before = self._state
        if selected is not None and before.refusal is not None and before.refusal.sequence == selected.sequence:
            if time.monotonic() < self._next_try:
                return
        else:
            self._attempt = 0
        chosen = state.models[selected.model] if selected is not None else None
        digest, training = (chosen.digest, chosen.metadata) if chosen is not None else (None, None)
        after = next_state(before, selected, self._load, self._settings.features, digest, training)
        self._state = after
        self._report(before, after)

    def _load(self, name: str) -> Model:
        return self._guard.guarded(self._registry.load(name))

    def _prepare_check(self) -> None:
        """Starts the process that checks a model before it is loaded, if the first model is yet to be selected."""
        if self._state.live is None and self._registry.state.selection is None:
            try:
                TEMPLATE.warm()
            except Unavailable as error:
                log.warning("%s", error)

    def _report(self, before: SwapState, after: SwapState) -> None:
        if after.refusal is not None:
            self._attempt += 1
            self._next_try = time.monotonic() + backoff(self._attempt, first=1.0, cap=RETRY_CAP_S)
            effect = f"{after.live.model.name} stays live" if after.live else "readings wait"
            log.error("%s is refused, %s: %s", after.refusal.name, effect, after.refusal.reason)
        elif after.live is not before.live:
            if after.live is not None:
                log.info("classifying with %s (selection %d)", after.live.model.name, after.live.sequence)
            else:
                log.warning("no model is selected: readings wait")

    def _watch(self) -> None:
        client = connect_redis(self._settings.redis)
        channel = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        poll = self._settings.inference.select_poll_s
        subscribed = False
        warm_at = time.monotonic() + WARM_AFTER_S
        while not self._stop.is_set():
            if time.monotonic() > warm_at:
                warm_at = math.inf
                self._prepare_check()
            try:
                if not subscribed:
                    channel.subscribe(Keys(self._settings.redis.prefix).selected)
                    subscribed = True
                channel.get_message(timeout=min(poll, self._settings.redis.timeout_s / 2))
            except (redis.RedisError, OSError):  # the notification only saves time; polling is enough
                subscribed = False
                self._stop.wait(poll)
            try:
                self.look()
            except Exception:
                log.exception("the check for a new selection failed; the live model is kept")
        channel.close()
        client.close()
