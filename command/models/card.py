"""`zelador models card`: a model on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from command.models.target import Home, Key, Name, Url, open_place
from command.terminal import say, say_text


def card(
    name: Name,
    html: Annotated[Path | None, typer.Option(help="Write it as a page, with plots, to this file.")] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Data, features, metrics, plots, limits and how to use it: Markdown, or an HTML page that needs nothing else."""
    text = open_place(home, url, key).card(name, html is not None)
    if html is None:
        say_text(text)
        return
    html.write_text(text, encoding="utf-8")
    say(html)
