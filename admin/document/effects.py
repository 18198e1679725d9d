"""Which operations change something, and what undoes them: the commands of /docs name what the plant has."""

from __future__ import annotations

from collections.abc import Mapping

CHANGE_ROLES = ("operator", "admin")
UNCHANGING = ("/v1/datasets", "/v1/datasets/{dataset}", "/v1/evaluations")  # they load, or forget what was loaded
UNDO: Mapping[str, str] = {  # operation to that which undoes it
    "POST /v1/models": "DELETE /v1/models/{name}",
    "PUT /v1/selection": "POST /v1/selection/rollback",
    "POST /v1/selection/rollback": "PUT /v1/selection",
    "POST /v1/runs": "POST /v1/runs/{run}/cancel",
    "POST /v1/devices/acknowledge": "POST /v1/devices/unacknowledge",
    "POST /v1/devices/{device}/acknowledge": "POST /v1/devices/{device}/unacknowledge",
    "POST /v1/devices/{device}/shelve": "POST /v1/devices/{device}/unshelve",
    "POST /v1/devices/{device}/retire": "POST /v1/devices/{device}/restore",
    "POST /v1/labels": "POST /v1/labels/{label}/undo",
    "POST /v1/keys": "DELETE /v1/keys/{key}",
}


def effect(method: str, path: str, role: str) -> str:
    """Returns what a command does as soon as it runs; empty if it changes nothing."""
    if method == "GET" or role not in CHANGE_ROLES or path in UNCHANGING:
        return ""
    undo = UNDO.get(f"{method} {path}")
    return "This command makes the change as soon as you run it." + (f" To undo it: `{undo}`." if undo else "")
