"""`zelador train --url`: requests a training run from another machine's API, and waits for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from command.api_client import Api
from command.follow_run import follow
from command.terminal import say
from command.train_progress import Watched
from zelador.errors import Conflict
from zelador.settings import load_settings

if TYPE_CHECKING:
    from registry.run_document import RunDocument


def train_remote(
    url: str,
    key: str | None,
    asked: Mapping[str, str | float | bool | None],
    notes: str,
    register: bool | Sequence[int],
    names: Sequence[str],
    dataset: Mapping[str, object],
) -> RunDocument:
    """Requests a run, and returns it when it is done.

    `asked` has the options by the API's names; lists are separated by commas. `dataset` is the query of the readings.
    Raises Conflict if the run failed, and the API's errors. After Ctrl-C, the run continues on the other machine.
    """
    remote = load_settings().remote
    api = Api(url, key or remote.key, remote.ca_file)
    saved = {"register": register, "names": list(names), "notes": notes}
    body: dict[str, Any] = {**saved, **{name: value for name, value in asked.items() if value is not None}}
    for listed in ("candidates", "exclude"):
        if names_of := asked.get(listed):
            body[listed] = [each.strip() for each in str(names_of).split(",") if each.strip()]
    if dataset:
        body["dataset"] = dict(dataset)
    run = api.call("POST", "/v1/runs", body).document
    say(f"run {run['id']} is queued at {api.where}", error=True)
    try:
        with Watched(str(asked.get("metric") or "score")) as watched:
            follow(api, run["id"], watched.show)
    except KeyboardInterrupt:
        say(f"run {run['id']} continues at {api.where}; to cancel it, POST /v1/runs/{run['id']}/cancel", error=True)
        raise
    run = api.call("GET", f"/v1/runs/{run['id']}").document
    if run["state"] != "done":
        raise Conflict(f"run {run['id']} {run['state']}: {run.get('error') or 'no reason given'}")
    return cast("RunDocument", run)
