"""`zelador health`: whether a service on this machine is well, for who runs containers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Annotated

import typer

from command.terminal import say
from zelador.errors import InvalidInput
from zelador.settings import load_settings

TIMEOUT_S = 5.0


def health(
    url: Annotated[
        str | None, typer.Option(help="Another address to ask, such as http://127.0.0.1:9464/readyz.")
    ] = None,
) -> None:
    """Ask the service of these settings whether it gets on: a worker's /readyz, without its port the API's /healthz.

    Exit code 1 if it does not, or does not answer.
    """
    settings = load_settings()
    if url is None and settings.metrics.port is not None:
        url = f"http://{settings.metrics.host}:{settings.metrics.port}/readyz"
    url = url or f"http://{settings.api.host}:{settings.api.port}/healthz"
    if not url.startswith("http://"):
        raise InvalidInput(f"--url {url}: take one that begins with http://")
    url = url.replace("//0.0.0.0:", "//127.0.0.1:")  # listening on all addresses, it is asked on the loopback
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http, as checked
            say(_said(answer.read()))
    except urllib.error.HTTPError as error:
        say(_said(error.read()))
        raise typer.Exit(1) from None
    except (urllib.error.URLError, OSError) as error:
        say(f"{url} does not answer: {error}")
        raise typer.Exit(1) from None


def _said(body: bytes) -> str:
    try:
        found = json.loads(body)
        return str(found.get("detail") or found.get("status"))
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace")
