"""Output to the terminal. Every line, table and live view passes through here and is cleaned of control characters.

Nothing else in `command` calls `print` or creates a `Console`; a test checks it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from zelador.printable import clean, clean_json, without_surrogates

LINES = "\n\t"  # the control characters allowed in multi-line text


class Terminal(Console):
    """A Rich console without markup, so that brackets in a name are shown. Foreign text cannot control the terminal."""

    def __init__(self, *, error: bool = False, **options: Any) -> None:
        super().__init__(stderr=error, highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(clean(segment.text, LINES), segment.style)


def say(text: object, *, error: bool = False) -> None:
    """Prints one line. A line break in `text` is shown as an escape."""
    _write(clean(text), error)


def say_text(text: str) -> None:
    """Prints multi-line text."""
    _write(clean(text, LINES), False)


def print_json(value: Any, indent: int | None = None) -> None:
    """Prints JSON. On a terminal, characters that could control it are escaped."""
    print_json_text(json.dumps(value, ensure_ascii=False, indent=indent))


def print_json_text(text: str) -> None:
    """Prints `text`, which is already JSON."""
    _write(clean_json(text) if sys.stdout.isatty() else without_surrogates(text), False)


def _write(text: str, error: bool) -> None:
    stream = sys.stderr if error else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
