"""An upgrade replaces the files of a running server: it keeps the templates that its code was made for."""

from __future__ import annotations

from datetime import timezone
from pathlib import Path

import pytest

from admin.console import templates
from admin.console.language import language
from admin.console.render import Renderer


def test_templates_do_not_change_under_a_running_server(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Renderer(language("en", timezone.utc), "").environment
    read = environment.get_template("shell/parts.html")
    assert templates.SOURCES.keys() >= {"shell/parts.html", "overview/page.html", "device/live.html"}

    def replaced(path: Path, *_: object, **__: object) -> str:
        raise AssertionError(f"{path} is read again")

    monkeypatch.setattr(Path, "read_text", replaced)
    monkeypatch.setattr("builtins.open", replaced)
    monkeypatch.setattr("os.path.getmtime", replaced)
    assert environment.get_template("shell/parts.html") is read
    assert environment.get_template("audit/page.html").filename == str(templates.FOLDER / "audit/page.html")
