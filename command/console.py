"""`zelador console`: prints a link that signs in to the console of a running home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from command.terminal import print_json, say
from command.up.home import read_memory
from operations.sign_in_links import LASTS_S, make_link
from zelador.errors import Unavailable


def console(
    home: Annotated[Path, typer.Option(help="The home of a running `zelador up`.")] = Path(".zelador"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print a link that signs you in to the web console. It works once, within 60 seconds, on this machine only."""
    url = read_memory(home, "up.json").get("api")
    if not isinstance(url, str):
        raise Unavailable(f"no `zelador up` is running in {home}; start it, or name its folder with --home")
    link = f"{url}{make_link(home / 'keys.json')}"
    if as_json:
        print_json({"console": link, "lasts_s": LASTS_S})
        return
    say(link)
    say(f"zelador: it works once, for {LASTS_S:g} s, in a browser on this machine", error=True)
