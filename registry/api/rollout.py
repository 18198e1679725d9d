"""Which worker runs what: the heartbeats beside the selection. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import redis
from pydantic import Field
from typing_extensions import TypedDict

from registry.state import Selection
from zelador import health
from zelador.messages import iso

Stage = Literal["live", "refused", "pending"]
Outcome = Literal["done", "refused", "pending"]


class Worker(TypedDict):
    """An inference worker that is alive, and how far it is with a selection."""

    worker: Annotated[str | None, Field(description="The name of its process; null if it told none.")]
    state: Annotated[Stage, Field(description="live: it runs the selection; refused: it cannot; pending: not yet.")]
    model: Annotated[str | None, Field(description="What it runs now; null for nothing.")]
    selection: Annotated[int | None, Field(description="The sequence of the selection that it runs; null for none.")]
    reason: Annotated[str | None, Field(description="Why it refused; null unless it did.")]
    heard_at: Annotated[str | None, Field(description="Its last sign of life, ISO 8601, UTC.")]
    started_at: Annotated[str | None, Field(description="Since when it runs, ISO 8601, UTC.")]


class Refusal(TypedDict):
    """A worker that cannot run the selection."""

    worker: Annotated[str | None, Field(description="The name of its process.")]
    reason: Annotated[str | None, Field(description="Why it cannot.")]


class Workers(TypedDict):
    """How many of the workers that are alive run the selection."""

    live: Annotated[int, Field(description="Workers that run it.")]
    of: Annotated[int, Field(description="Workers that are alive.")]
    refused: Annotated[list[Refusal], Field(description="Those that cannot.")]


def workers(services: Any) -> list[dict[str, str]]:
    """The inference workers that are alive. Raises redis.RedisError."""
    found = health.workers(services.redis, services.settings.redis.prefix)
    return [worker for worker in found if worker.get("service") == "inference"]


def counted(services: Any, selection: Selection | None) -> Workers | None:
    """How many workers run the selection, and who refused it; None while Redis does not answer."""
    try:
        found = workers(services)
    except (redis.RedisError, OSError):
        return None
    return summed([describe(worker, selection) for worker in found])


def summed(each: Sequence[Worker]) -> Workers:
    return {
        "live": sum(worker["state"] == "live" for worker in each),
        "of": len(each),
        "refused": [
            {"worker": worker["worker"], "reason": worker["reason"]} for worker in each if worker["state"] == "refused"
        ],
    }


def describe(worker: Mapping[str, str], selection: Selection | None) -> Worker:
    """`state` is live (it runs the selection), refused (it cannot, and says why), or pending."""
    wanted = "" if selection is None else str(selection.sequence)
    refused = bool(wanted) and worker.get("refused_selection") == wanted
    live = bool(wanted) and worker.get("selection") == wanted
    return {
        "worker": worker.get("instance"),
        "state": "live" if live else "refused" if refused else "pending",
        "model": worker.get("model") or None,
        "selection": _number(worker.get("selection")),
        "reason": (worker.get("refused_reason") or None) if refused and not live else None,
        "heard_at": _moment(worker.get("at")),
        "started_at": _moment(worker.get("started_at")),
    }


def outcome(each: Iterable[Worker]) -> Outcome:
    """Of a selection: done once every live worker runs it, refused as soon as one cannot, else pending.

    No worker at all has confirmed nothing: pending.
    """
    states = [worker["state"] for worker in each]
    if "refused" in states:
        return "refused"
    return "done" if states and all(state == "live" for state in states) else "pending"


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _moment(text: str | None) -> str | None:
    return iso(int(text)) if text else None
