"""`zelador health`: checks the health of a service on this machine, for container health checks."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Annotated

import typer

from command.home import OfHome, settings_of
from command.terminal import say
from zelador.errors import InvalidInput

TIMEOUT_S = 5.0


def health(
    url: Annotated[
        str | None, typer.Option(help="Check this address instead, such as http://127.0.0.1:9464/readyz.")
    ] = None,
    home: OfHome = None,
) -> None:
    """Check the health of the configured service.

    Asks a worker's /readyz if ZELADOR_METRICS__PORT is set, otherwise the API's /healthz; with --home the API's
    /readyz, which speaks for all services. Exit code 1 if the service is unhealthy or does not answer.
    """
    if url is not None and home is not None:
        raise InvalidInput("use either --home or --url")
    settings = settings_of(home)
    if home is not None:
        url = f"http://{settings.api.host}:{settings.api.port}/readyz"
    if url is None and settings.metrics.port is not None:
        url = f"http://{settings.metrics.host}:{settings.metrics.port}/readyz"
    url = url or f"http://{settings.api.host}:{settings.api.port}/healthz"
    if not url.startswith("http://"):
        raise InvalidInput(f"--url {url}: the address has to start with http://")
    url = url.replace("//0.0.0.0:", "//127.0.0.1:")  # a server on all addresses also listens on the loopback
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http, as checked
            say(_status(answer.read()))
    except urllib.error.HTTPError as error:
        say(_status(error.read()))
        raise typer.Exit(1) from None
    except (urllib.error.URLError, OSError) as error:
        say(f"{url} does not answer: {error}")
        raise typer.Exit(1) from None


def _status(body: bytes) -> str:
    try:
        found = json.loads(body)
        return str(found.get("detail") or found.get("status"))
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace")
