"""A minimal client of the admin API, for the demo."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from zelador.errors import Unavailable


class Client:
    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path, None)

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._call(method, path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Sends a request; returns the JSON body. Raises Unavailable with the API's error message."""
        request = urllib.request.Request(  # noqa: S310 - our own API on the loopback
            self._url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10.0) as answer:  # noqa: S310
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            detail = json.loads(error.read() or b"{}").get("detail", error.reason)
            raise Unavailable(f"{method} {path}: {detail}") from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise Unavailable(f"{method} {path}: {error}") from None
