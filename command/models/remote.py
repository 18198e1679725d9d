"""A registry on another machine, through its admin API (/v1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from command.api_client import Api
from zelador.errors import InvalidInput

if TYPE_CHECKING:
    from operations.acts.evaluations import Labeled
    from registry.listing import Query

Facts = Mapping[str, Any]
PAGE = 500
OWN_FIELDS = ("description", "notes")  # fields of an annotation; other keys go into `metadata`


class Remote:
    def __init__(self, url: str, key: str | None, ca_file: Path | None = None) -> None:
        self._api = Api(url, key, ca_file)

    def models(self, query: Query, limit: int | None = None) -> list[Facts]:
        parameters = [
            ("sort", query.sort),
            ("q", query.text),
            *query.equal,
            *(("tag", tag) for tag in query.tags),
            *(("least", f"{key}:{number}") for key, number in query.least),
        ]
        return list(islice(self._pages("/v1/models", "models", "offset", parameters), limit))

    def selected(self) -> str | None:
        found: str | None = self._api.call("GET", "/v1/selection").document["model"]
        return found

    def model(self, name: str) -> Facts:
        return self._api.call("GET", _path(name)).document

    def history(self) -> list[Facts]:
        return list(self._pages("/v1/selection/history", "selections", "before"))

    def select(self, name: str, why: str, force: bool = False) -> Facts:
        forced = {"force": True} if force else {}
        return self._api.call("PUT", "/v1/selection", {"model": name, "why": why, **forced}).document

    def roll_back(self, why: str, force: bool = False) -> Facts:
        forced = {"force": True} if force else {}
        return self._api.call("POST", "/v1/selection/rollback", {"why": why, **forced}).document

    def annotate(
        self, name: str, metadata: Mapping[str, Any], add: Sequence[str], remove: Sequence[str], why: str
    ) -> Facts:
        """Changes the metadata and tags. If-Match prevents overwriting a concurrent change, since all tags are sent."""
        if both := sorted(set(add) & set(remove)):
            raise InvalidInput(f"the tag {both[0]!r} cannot be both added and removed")
        current = self._api.call("GET", _path(name))
        changes: dict[str, Any] = {key: value for key, value in metadata.items() if key in OWN_FIELDS}
        if further := {key: value for key, value in metadata.items() if key not in OWN_FIELDS}:
            changes["metadata"] = further
        if add or remove:
            changes["tags"] = sorted((set(current.document.get("tags", ())) | set(add)) - set(remove))
        headers = {"If-Match": current.headers.get("etag", "*")}
        return self._api.call("PATCH", _path(name), {**changes, "why": why}, headers=headers).document

    def rename(self, name: str, to: str, why: str) -> Facts:
        """Renames the model, whatever its version, because a new name overwrites nothing."""
        return self._api.call("PATCH", _path(name), {"name": to, "why": why}, headers={"If-Match": "*"}).document

    def delete(self, name: str, why: str) -> None:
        self._api.call("DELETE", _path(name, f"?{urlencode({'why': why})}" if why else ""))

    def classify(self, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
        request = {"readings": [dict(reading) for reading in readings], **({"model": model} if model else {})}
        return self._api.call("POST", "/v1/classify", request).document

    def evaluate(self, names: Sequence[str], rows: Labeled, positive: str | None, keep: bool) -> Facts:
        request = {
            "models": list(names),
            "readings": list(rows.readings),
            "labels": list(rows.labels),
            "devices": rows.devices,
            "times": rows.times,
            "source": rows.source,
            "digest": rows.digest,
            "notes": list(rows.notes),
            "positive": positive,
            "keep": keep,
        }
        headers = {"Content-Type": "application/json"}
        body = json.dumps(request, allow_nan=False).encode()
        return self._api.call("POST", "/v1/evaluations", data=body, headers=headers).document

    def save(self, run: str, ranks: Sequence[int] | None, names: Sequence[str], notes: Sequence[str]) -> list[Facts]:
        request = {"ranks": ranks, "names": list(names), "notes": list(notes)}
        path = f"/v1/runs/{quote(run, safe='')}/register"
        found: list[Facts] = self._api.call("POST", path, request).document["models"]
        return found

    def card(self, name: str, html: bool) -> str:
        form = "html" if html else "markdown"
        return self._api.call("GET", _path(name, f"/card?format={form}")).body.decode()

    def archive(self, name: str) -> bytes:
        return self._api.call("GET", _path(name, "/archive")).body

    def add(self, data: bytes, name: str | None, why: str, trust: bool = False) -> Facts:
        del trust  # the API decides what it accepts
        query = urlencode({key: value for key, value in (("name", name), ("why", why)) if value})
        path = f"/v1/models?{query}" if query else "/v1/models"
        return self._api.call("POST", path, data=data, headers={"Content-Type": "application/zip"}).document

    def _pages(self, path: str, part: str, cursor: str, parameters: Sequence[tuple[str, Any]] = ()) -> Iterator[Facts]:
        """Yields all items of a list. The `next` of one page is the `cursor` of the following page."""
        position: list[tuple[str, Any]] = []
        while True:
            page = self._api.call("GET", f"{path}?{urlencode([*parameters, ('limit', PAGE), *position])}").document
            yield from page[part]
            if page.get("next") is None:
                return
            position = [(cursor, page["next"])]


def _path(name: str, below: str = "") -> str:
    return f"/v1/models/{quote(name, safe='')}{below}"
