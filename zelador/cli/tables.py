"""Tables on standard output: as wide as the terminal; wide enough for a whole row where there is none."""

from __future__ import annotations

from rich.console import Console

WIDE = 180


def output() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)
