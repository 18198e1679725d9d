"""A client of the admin API of another machine. Errors have the API's own message."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zelador.errors import Conflict, InvalidInput, NotFound, Unavailable, ZeladorError
from zelador.no_redirect import NoRedirect
from zelador.tls import explain, unreadable

TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 180.0  # for the transfer, plus up to 30 s of checks in a process that may have to start first
MAX_ANSWER = 1 << 30  # bytes; bounds the answer of a server that never stops sending
MAX_LINE = 1 << 20  # bytes; bounds a line of a stream
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    headers: Mapping[str, str]  # by lower-case name

    @property
    def document(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unavailable("the answer is not a JSON object: is that address a Zelador API?")
        return found


def _trusting(ca_file: Path) -> urllib.request.HTTPSHandler:
    """Returns a handler that trusts the CAs in a file. Raises InvalidInput if the file has no certificates."""
    if trouble := unreadable(ca_file, "ZELADOR_REMOTE__CA_FILE"):
        raise InvalidInput(trouble)
    try:
        return urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file)))
    except ssl.SSLError as error:
        why = f"ZELADOR_REMOTE__CA_FILE: {ca_file} has no certificate in PEM form ({error.reason or error})"
        raise InvalidInput(why) from None


class Api:
    """A client of the admin API. Raises InvalidInput for an invalid address or key, without showing key or password."""

    def __init__(self, url: str, key: str | None, ca_file: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise InvalidInput("--url must look like https://host:port; put the key in ZELADOR_REMOTE__KEY")
        if not key:
            raise InvalidInput(
                "the API requires a key: set ZELADOR_REMOTE__KEY or --key (create a key with zelador keys new)"
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidInput("the key has invalid characters; copy it again")
        self.where = f"{parts.scheme}://{parts.netloc}"
        self._url = f"{self.where}{parts.path.rstrip('/')}"
        self._key = key
        secure = [_trusting(ca_file)] if parts.scheme == "https" and ca_file is not None else []
        direct = [urllib.request.ProxyHandler({})] if parts.hostname in LOOPBACK else []
        self._opener = urllib.request.build_opener(NoRedirect, *secure, *direct)

    def lines(self, path: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yields the lines of an answer that is a stream, as they arrive, without their ends.

        Raises the same errors as `call`; Unavailable if nothing arrives for TIMEOUT_S, or if a line is too long.
        """
        all_headers = {"Authorization": f"Bearer {self._key}", **headers}
        request = urllib.request.Request(self._url + path, None, all_headers)  # noqa: S310 - http(s), as checked
        with self._answer(request, TIMEOUT_S) as answer:
            while line := answer.readline(MAX_LINE):
                if not line.endswith(b"\n"):
                    raise Unavailable(f"{self.where}: the connection ended within a line, or a line is too long")
                yield line.rstrip(b"\r\n")

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends `body` as JSON, or `data` unchanged.

        Raises NotFound, Conflict, InvalidInput or Unavailable with the API's message.
        """
        payload = data if body is None else json.dumps(body).encode()
        all_headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json", **(headers or {})}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._url + path, payload, all_headers, method=method)  # noqa: S310 - http(s), as checked
        with self._answer(request, TIMEOUT_S if data is None else UPLOAD_TIMEOUT_S) as answer:
            received = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.read(MAX_ANSWER), received)

    @contextmanager
    def _answer(self, request: urllib.request.Request, timeout_s: float) -> Iterator[HTTPResponse]:
        """Opens the answer. Raises the API's refusal; Unavailable if the server does not answer, or not to the end."""
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            raise self._refusal(error.code, error.read(65_536), error.reason) from None
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            if why := explain(reason, "ZELADOR_REMOTE__CA_FILE"):
                raise Unavailable(f"{self.where}: {why}") from None
            raise Unavailable(f"{self.where} does not answer: {reason}; is it the address of a Zelador API?") from None

    def _refusal(self, status: int, body: bytes, reason: str) -> ZeladorError:
        try:
            detail = str(json.loads(body)["detail"])
        except (ValueError, KeyError, TypeError):
            detail = reason
        if status in (401, 403):
            return InvalidInput(f"{self.where} refuses the key: {detail}")
        if 300 <= status < 400:
            return InvalidInput(
                f"{self.where} redirects to another address; redirects are not followed with a key, so use that address"
            )
        kinds = {404: NotFound, 409: Conflict, 412: Conflict, 428: Conflict, 429: Unavailable}
        kind = kinds.get(status, InvalidInput if status < 500 else Unavailable)
        return kind(f"{self.where}: {detail}")
