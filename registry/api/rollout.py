"""Which worker runs what: the heartbeats beside the selection. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from registry.state import Selection
from zelador import health
from zelador.messages import iso


def workers(services: Any) -> list[dict[str, str]]:
    """The inference workers that are alive. Raises redis.RedisError."""
    found = health.workers(services.redis, services.settings.redis.prefix)
    return [worker for worker in found if worker.get("service") == "inference"]


def counted(services: Any, selection: Selection | None) -> dict[str, Any] | None:
    """How many workers run the selection, and who refused it; None while Redis does not answer."""
    try:
        found = workers(services)
    except (redis.RedisError, OSError):
        return None
    return summed([describe(worker, selection) for worker in found])


def summed(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "live": sum(worker["state"] == "live" for worker in each),
        "of": len(each),
        "refused": [
            {"worker": worker["worker"], "reason": worker["reason"]} for worker in each if worker["state"] == "refused"
        ],
    }


def describe(worker: Mapping[str, str], selection: Selection | None) -> dict[str, Any]:
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


def outcome(each: Iterable[Mapping[str, Any]]) -> str:
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
