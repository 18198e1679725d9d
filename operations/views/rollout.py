"""The rollout of a selection: compares the workers' heartbeats with it. Pure, except for reading the heartbeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import redis
from pydantic import Field
from typing_extensions import TypedDict

from registry.log.state import Selection
from zelador import heartbeat
from zelador.messages import iso

Stage = Literal["live", "refused", "pending"]
Outcome = Literal["done", "refused", "pending"]


class Worker(TypedDict):
    """A running inference worker, and its state in the rollout of a selection."""

    worker: Annotated[str | None, Field(description="The worker's name; null if it reported none.")]
    state: Annotated[
        Stage, Field(description="live: it runs the selection; refused: it cannot; pending: it has not loaded it yet.")
    ]
    model: Annotated[str | None, Field(description="The model it runs now; null if none.")]
    selection: Annotated[int | None, Field(description="The `sequence` of the selection it runs; null if none.")]
    reason: Annotated[str | None, Field(description="Why it refused the selection; null unless it did.")]
    heard_at: Annotated[str | None, Field(description="Time of its last heartbeat, ISO 8601, UTC.")]
    started_at: Annotated[str | None, Field(description="Time when it started, ISO 8601, UTC.")]
    rate: Annotated[
        float | None,
        Field(description="Readings a second that it classified in the last half minute; null if unknown."),
    ]
    p99_ms: Annotated[
        float | None,
        Field(
            description="Time from receiving a reading to the broker's confirmation of its prediction, in "
            "milliseconds: 99 % of the readings of the last half minute took at most this. Accurate to 15 %; null "
            "without any."
        ),
    ]


class Refusal(TypedDict):
    """A worker that cannot run the selection."""

    worker: Annotated[str | None, Field(description="The worker's name.")]
    reason: Annotated[str | None, Field(description="Why it cannot run it.")]


class Workers(TypedDict):
    """How many of the running workers run the selection."""

    live: Annotated[int, Field(description="Number of workers that run the selection.")]
    of: Annotated[int, Field(description="Number of running workers; 0: no worker runs.")]
    refused: Annotated[list[Refusal], Field(description="Workers that cannot run it.")]


def workers(client: redis.Redis, prefix: str) -> list[dict[str, str]]:
    """The heartbeats of the running inference workers. Raises redis.RedisError."""
    found = heartbeat.workers(client, prefix)
    return [worker for worker in found if worker.get("service") == "inference"]


def states(client: redis.Redis, prefix: str, selection: Selection | None) -> list[Worker]:
    """The state of each running worker for a selection. Raises redis.RedisError."""
    return [describe(worker, selection) for worker in workers(client, prefix)]


def counted(client: redis.Redis, prefix: str, selection: Selection | None) -> Workers | None:
    """The counts of workers for a selection; None while Redis does not answer."""
    try:
        return summed(states(client, prefix, selection))
    except (redis.RedisError, OSError):
        return None


def summed(each: Sequence[Worker]) -> Workers:
    return {
        "live": sum(worker["state"] == "live" for worker in each),
        "of": len(each),
        "refused": [
            {"worker": worker["worker"], "reason": worker["reason"]} for worker in each if worker["state"] == "refused"
        ],
    }


def describe(worker: Mapping[str, str], selection: Selection | None) -> Worker:
    """The state of a worker, from its heartbeat: live (it runs the selection), refused (it cannot) or pending."""
    wanted = "" if selection is None else str(selection.sequence)
    is_refused = bool(wanted) and worker.get("refused_selection") == wanted
    is_live = bool(wanted) and worker.get("selection") == wanted
    return {
        "worker": worker.get("instance"),
        "state": "live" if is_live else "refused" if is_refused else "pending",
        "model": worker.get("model") or None,
        "selection": _number(worker.get("selection")),
        "reason": (worker.get("refused_reason") or None) if is_refused and not is_live else None,
        "heard_at": _moment(worker.get("at")),
        "started_at": _moment(worker.get("started_at")),
        "rate": _figure(worker.get("rate")),
        "p99_ms": _figure(worker.get("p99_ms")),
    }


def outcome(each: Iterable[Worker]) -> Outcome:
    """The outcome of a rollout: done when every running worker runs the selection, refused when one cannot.

    Otherwise, and when no worker is running, pending.
    """
    states = [worker["state"] for worker in each]
    if "refused" in states:
        return "refused"
    return "done" if states and all(state == "live" for state in states) else "pending"


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _figure(text: str | None) -> float | None:
    return float(text) if text else None


def _moment(text: str | None) -> str | None:
    return iso(int(text)) if text else None
