"""A registry behind the admin API of another machine (/v1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from zelador.errors import InvalidInput
from zelador.remote import Api

Facts = dict[str, Any]


class Remote:
    def __init__(self, url: str, key: str | None) -> None:
        self._api = Api(url, key)

    def models(self) -> list[Facts]:
        return list(self._pages("/v1/models", "models"))

    def model(self, name: str) -> Facts:
        return self._api.call("GET", _path(name)).document

    def history(self) -> list[Facts]:
        return list(self._pages("/v1/selection/history", "selections"))

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
        changes: Facts = {"metadata": dict(metadata)} if metadata else {}
        if add or remove:
            changes["tags"] = sorted((set(seen.document.get("tags", ())) | set(add)) - set(remove))
        headers = {"If-Match": seen.headers.get("ETag", "*")}
        return self._api.call("PATCH", _path(name), {**changes, "why": why}, headers=headers).document

    def delete(self, name: str, why: str) -> None:
        self._api.call("DELETE", _path(name, why=why))

    def classify(self, model: str | None, readings: Sequence[Mapping[str, Any]]) -> Facts:
        question = {"readings": [dict(reading) for reading in readings], **({"model": model} if model else {})}
        return self._api.call("POST", "/v1/classify", question).document

    def card(self, name: str, html: bool) -> str:
        wanted = "text/html" if html else "text/markdown"
        return self._api.call("GET", _path(name, "/card"), headers={"Accept": wanted}).body.decode()

    def _pages(self, path: str, part: str) -> Iterator[Facts]:
        after: str | None = None
        while True:
            query = f"?{urlencode({'after': after})}" if after else ""
            page = self._api.call("GET", path + query).document
            yield from page[part]
            after = page.get("next")
            if not after:
                return


def _path(name: str, below: str = "", **query: str) -> str:
    given = {key: value for key, value in query.items() if value}
    return f"/v1/models/{quote(name, safe='')}{below}" + (f"?{urlencode(given)}" if given else "")
