"""Reference pages are made from the code, or name everything that the code has; what is stale fails."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import typer

from admin.app import make_app
from command.main import app
from zelador.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_page_is_fresh_and_every_setting_has_its_why() -> None:
    made = runpy.run_path(str(DOCS / "reference" / "make.py"))["page"]()
    assert (DOCS / "reference" / "settings.md").read_text(encoding="utf-8") == made, "run docs/reference/make.py"
    rows = [line for line in made.splitlines() if line.startswith("| `ZELADOR")]
    assert len(rows) > 40
    assert [line for line in rows if line.endswith("|  |")] == []


def first_cells(page: str) -> list[list[str]]:
    """The quoted words of the first cell of each row."""
    lines = (DOCS / "reference" / page).read_text(encoding="utf-8").splitlines()
    return [re.findall(r"`([^`]+)`", line.split(" | ")[0]) for line in lines if line.startswith("| `")]


def commands(group: typer.Typer, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All commands, each with the groups that it is in."""
    for command in group.registered_commands:
        yield (*before, command.name or command.callback.__name__)  # type: ignore[union-attr]
    for each in group.registered_groups:
        assert each.typer_instance is not None
        assert each.name
        yield from commands(each.typer_instance, (*before, each.name))


def test_every_command_is_in_the_page() -> None:
    known = set(commands(app))
    documented = set()
    for quoted in first_cells("cli.md"):
        last: tuple[str, ...] = ()
        for text in quoted:
            words = tuple(re.findall(r"^[a-z-]+| [a-z-]+(?= |$)", text.split(" --")[0]))
            words = tuple(word.strip() for word in words)
            path = words[1:] if words and words[0] == "zelador" else (*last[:-1], *words)
            last = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in known), ())
            documented.add(last)
    assert len(known) > 40
    assert known - documented == set()


def test_every_path_of_the_api_is_in_the_page(tmp_path: Path) -> None:
    """A row names a path in whole, and others that begin as it does by their end."""
    paths = make_app(Settings(api={"keys_file": tmp_path / "keys"})).openapi()["paths"]  # type: ignore[arg-type]
    known = {re.sub(r"{[^}]*}", "{}", path) for path in paths if path.startswith("/v1/")}
    documented = set()
    for quoted in first_cells("api.md"):
        whole = ""
        for text in quoted:
            part = re.sub(r"{[^}]*}", "{}", text.split("?")[0].split(" ")[-1])
            if part.startswith("/v1/"):
                whole = part
                documented.add(whole)
            elif part.startswith("/"):
                starts = whole.split("/")
                documented |= {"/".join(starts[:size]) + part for size in range(3, len(starts) + 1)}
    assert len(known) > 40
    assert known - documented == set()
