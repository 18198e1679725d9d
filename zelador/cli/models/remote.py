"""A registry behind the admin API of another machine (/v1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from zelador.errors import InvalidInput, NotFound
from zelador.remote import Api

Facts = dict[str, Any]
PAGE = 500
OWN_FIELDS = ("description", "notes")  # of an annotation; other keys go into its `metadata`


class Remote:
    def __init__(self, url: str, key: str | None) -> None:
        self._api = Api(url, key)

    def models(self) -> list[Facts]:
        return list(self._pages("/v1/models", "models", "offset"))

    def model(self, name: str) -> Facts:
        return self._api.call("GET", _path(name)).document

    def history(self) -> list[Facts]:
        return list(self._pages("/v1/selection/history", "selections", "before"))

    def select(self, name: str, why: str) -> Facts:
        return self._api.call("PUT", "/v1/selection", {"model": name, "why": why}).document

    def roll_back(self, why: str) -> Facts:
        return self._api.call("POST", "/v1/selection/rollback", {"why": why}).document

    def annotate(
        self, name: str, metadata: Mapping[str, Any], add: Sequence[str], remove: Sequence[str], why: str
    ) -> Facts:
        """On the state that was just read (If-Match): tags are sent whole, and another's must not be lost."""
        if both := sorted(set(add) & set(remove)):
            raise InvalidInput(f"the tag {both[0]!r} cannot be added and taken away at once")
        seen = self._api.call("GET", _path(name))
        changes: Facts = {key: value for key, value in metadata.items() if key in OWN_FIELDS}
        if further := {key: value for key, value in metadata.items() if key not in OWN_FIELDS}:
            changes["metadata"] = further
        if add or remove:
            changes["tags"] = sorted((set(seen.document.get("tags", ())) | set(add)) - set(remove))
        headers = {"If-Match": seen.headers.get("etag", "*")}
        return self._api.call("PATCH", _path(name), {**changes, "why": why}, headers=headers).document

    def rename(self, name: str, to: str, why: str) -> Facts:
        """On whatever state there is, as here: it overwrites nothing."""
        return self._api.call("PATCH", _path(name), {"name": to, "why": why}, headers={"If-Match": "*"}).document

    def delete(self, name: str, why: str) -> None:
        self._api.call("DELETE", _path(name, f"?{urlencode({'why': why})}" if why else ""))

    def classify(self, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
        question = {"readings": [dict(reading) for reading in readings], **({"model": model} if model else {})}
        return self._api.call("POST", "/v1/classify", question).document

    def card(self, name: str, html: bool) -> str:
        """Written here, from what the API says of the model."""
        from registry.card import Card, card_html, card_markdown
        from registry.manifest import Feature

        manifest = self._api.call("GET", _path(name, "/manifest")).document
        features = tuple(Feature(**feature) for feature in manifest["features"])
        sizes = {path: file["size"] for path, file in manifest["files"].items()}
        try:
            report = json.loads(self._api.call("GET", _path(name, "/files/report/report.json")).body)
        except NotFound:
            report = {}
        card = Card(self.model(name), features, sizes, report)
        return card_html(card) if html else card_markdown(card)

    def archive(self, name: str) -> bytes:
        return self._api.call("GET", _path(name, "/archive")).body

    def add(self, data: bytes, name: str | None, why: str) -> Facts:
        query = urlencode({key: value for key, value in (("name", name), ("why", why)) if value})
        path = f"/v1/models?{query}" if query else "/v1/models"
        return self._api.call("POST", path, data=data, headers={"Content-Type": "application/zip"}).document

    def _pages(self, path: str, part: str, cursor: str) -> Iterator[Facts]:
        """All of a list: `next` of a page is the next one's `cursor`."""
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self._api.call("GET", f"{path}?{urlencode(query)}").document
            yield from page[part]
            if page.get("next") is None:
                return
            query[cursor] = page["next"]


def _path(name: str, below: str = "") -> str:
    return f"/v1/models/{quote(name, safe='')}{below}"
