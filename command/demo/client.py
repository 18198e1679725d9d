"""A minimal client of the admin API, for the demo."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from threading import Event
from typing import Any

from zelador.errors import Unavailable, ZeladorError
from zelador.retry import backoff

PATIENCE_S = 180.0  # for a request that must be answered: Redis may hang or restart meanwhile
LIMIT_S = 10.0  # of one try
TRY_TIMEOUT_S = 3.0  # of a try that may fail
LATER = (429, 502, 503, 504)  # statuses after which the same request may succeed
IN_USE = "/problems/idempotency-key-in-use"  # the first try is still being processed


class _Later(ZeladorError):
    """The request was not answered, and may be sent again."""


class Client:
    """`stop` ends the retries."""

    def __init__(self, url: str, key: str, stop: Event) -> None:
        self._url = url
        self._key = key
        self._stop = stop

    def look(self, path: str) -> dict[str, Any]:
        """Tries once. Raises Unavailable with the API's error message."""
        try:
            return self._call("GET", path, None, TRY_TIMEOUT_S, None)
        except _Later as error:
            raise Unavailable(str(error)) from None

    def get(self, path: str) -> dict[str, Any]:
        return self._patiently("GET", path, None)

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Sends a change, which is made once however often it is sent."""
        return self._patiently(method, path, body)

    def _patiently(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Sends a request until it is answered. Raises Unavailable with the API's error message."""
        deadline, attempt = time.monotonic() + PATIENCE_S, 0
        once = str(uuid.uuid4()) if method == "POST" else None
        while True:
            try:
                return self._call(method, path, body, LIMIT_S, once)
            except _Later as error:
                attempt += 1
                if self._stop.is_set() or time.monotonic() > deadline:
                    raise Unavailable(str(error)) from None
                self._stop.wait(backoff(attempt))

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None, limit_s: float, once: str | None
    ) -> dict[str, Any]:
        """Sends a request once; returns the JSON body. Raises _Later, Unavailable."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        if once is not None:
            headers["Idempotency-Key"] = once
        request = urllib.request.Request(  # noqa: S310 - our own API on the loopback
            self._url + path, None if body is None else json.dumps(body).encode(), headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=limit_s) as answer:  # noqa: S310
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as error:
            problem = _problem(error)
            text = f"{method} {path}: {problem.get('detail', error.reason)}"
            raise (_Later if error.code in LATER or problem.get("type") == IN_USE else Unavailable)(text) from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise _Later(f"{method} {path}: {error}") from None


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """Returns the problem document; empty if the answer is none."""
    try:
        found = json.loads(error.read() or b"{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
