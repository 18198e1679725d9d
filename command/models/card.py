"""`zelador models card`: shows the model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from command.models.target import Home, Key, Name, Url, open_target
from command.terminal import say, say_text


def card(
    name: Name,
    html: Annotated[Path | None, typer.Option(help="Write the card to this file as an HTML page with plots.")] = None,
    home: Home = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show the card of a model: data, features, metrics, limits and how to use it.

    It is printed as Markdown, or written with --html as a self-contained page with plots.
    """
    text = open_target(home, url, key).card(name, html is not None)
    if html is None:
        say_text(text)
        return
    html.write_text(text, encoding="utf-8")
    say(html)
