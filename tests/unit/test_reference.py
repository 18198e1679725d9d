"""Reference pages are made from the code; what is stale fails."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_page_is_fresh_and_every_setting_has_its_why() -> None:
    made = runpy.run_path(str(DOCS / "reference" / "make.py"))["page"]()
    assert (DOCS / "reference" / "settings.md").read_text(encoding="utf-8") == made, "run docs/reference/make.py"
    rows = [line for line in made.splitlines() if line.startswith("| `ZELADOR")]
    assert len(rows) > 40
    assert [line for line in rows if line.endswith("|  |")] == []


def test_every_command_is_in_the_page() -> None:
    from command.main import app

    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        assert f"`zelador {command.name}" in page or f"`{command.name}`" in page, command.name
