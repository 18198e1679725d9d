"""The templates of the console, read once: a running server keeps its own when an upgrade replaces the files."""

from __future__ import annotations

from pathlib import Path

from jinja2 import FunctionLoader

FOLDER = Path(__file__).parent
SOURCES = {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.html")}


def loader() -> FunctionLoader:
    def load(name: str) -> tuple[str, str, None] | None:
        return (SOURCES[name], str(FOLDER / name), None) if name in SOURCES else None

    return FunctionLoader(load)
