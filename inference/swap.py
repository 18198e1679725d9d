"""Hot swap: which model is live, and the thread that takes up a new selection.

The loop takes one immutable reference a batch; loading happens beside it, so a swap never stalls the
stream. A model that cannot be loaded is refused, loudly, and the one before goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import redis

from inference.answer import Model
from registry.registry import Registry
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys
from zelador.errors import ZeladorError
from zelador.retry import backoff
from zelador.settings import Settings

log = logging.getLogger(__name__)

RETRY_CAP_S = 30.0


class Selected(Protocol):
    @property
    def model(self) -> str: ...
    @property
    def sequence(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Live:
    """The model that classifies now, and the sequence number of the selection that chose it."""

    model: Model
    sequence: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A selection that could not be taken up."""

    name: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class SwapState:
    live: Live | None = None
    refusal: Refusal | None = None


def take_up(
    state: SwapState, selected: Selected | None, load: Callable[[str], Model], features: tuple[str, ...]
) -> SwapState:
    """The state after looking at the present selection; `load` may raise a ZeladorError."""
    if selected is None:
        return SwapState()
    if state.live is not None and state.live.sequence == selected.sequence:
        return SwapState(state.live)
    try:
        model = load(selected.model)
    except ZeladorError as error:
        return SwapState(state.live, Refusal(selected.model, selected.sequence, str(error)))
    if missing := [name for name in model.features if name not in features]:
        reason = f"it needs {', '.join(missing)}, which ZELADOR_FEATURES does not name"
        return SwapState(state.live, Refusal(selected.model, selected.sequence, reason))
    return SwapState(Live(model, selected.sequence))


class Swap:
    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        """Raises Unavailable when the registry cannot be opened."""
        self._settings = settings
        self._stop = stop
        self._registry = Registry.open(settings.registry)
        self._state = SwapState()
        self._attempt = 0
        self._next_try = 0.0
        self._thread = threading.Thread(target=self._watch, name="swap", daemon=True)

    @property
    def live(self) -> Live | None:
        return self._state.live

    def facts(self) -> dict[str, object]:
        """What the heartbeat says: the API tells "selected" from "live on n of m" by it."""
        state = self._state
        return {
            "model": state.live.model.name if state.live else None,
            "model_digest": state.live.model.digest if state.live else None,
            "selection": state.live.sequence if state.live else None,
            "refused_model": state.refusal.name if state.refusal else None,
            "refused_selection": state.refusal.sequence if state.refusal else None,
            "refused_reason": state.refusal.reason if state.refusal else None,
        }

    def start(self) -> None:
        """Takes up the present selection, then goes on watching in a thread of its own."""
        self.look()
        self._thread.start()

    def join(self) -> None:
        self._thread.join(timeout=5.0)

    def look(self) -> None:
        """One look at the log's next entry; takes up a selection that is not yet live."""
        try:
            self._registry.changed()
            selected = self._registry.state.selection
        except (ZeladorError, OSError) as error:
            log.error("the registry cannot be read, the present model goes on: %s", error)
            return
        before = self._state
        if selected is not None and before.refusal is not None and before.refusal.sequence == selected.sequence:
            if time.monotonic() < self._next_try:
                return
        else:
            self._attempt = 0
        after = take_up(before, selected, self._registry.load, self._settings.features)
        self._state = after
        self._report(before, after)

    def _report(self, before: SwapState, after: SwapState) -> None:
        if after.refusal is not None:
            self._attempt += 1
            self._next_try = time.monotonic() + backoff(self._attempt, first=1.0, cap=RETRY_CAP_S)
            kept = f"{after.live.model.name} goes on" if after.live else "readings wait"
            log.error("%s is refused, %s: %s", after.refusal.name, kept, after.refusal.reason)
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
        while not self._stop.is_set():
            try:
                if not subscribed:
                    channel.subscribe(Keys(self._settings.redis.prefix).selected)
                    subscribed = True
                channel.get_message(timeout=min(poll, self._settings.redis.timeout_s / 2))
            except (redis.RedisError, OSError):  # the notification only wakes us; the look does the work
                subscribed = False
                self._stop.wait(poll)
            try:
                self.look()
            except Exception:
                log.exception("looking for a new selection failed; the present model goes on")
        channel.close()
        client.close()
