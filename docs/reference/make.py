"""Writes docs/reference/settings.md from the settings' own classes: `python docs/reference/make.py`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from zelador.settings import Section, Settings

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Made from `zelador/settings/` by `python docs/reference/make.py`; a test fails when it is stale.

From environment variables, else from the TOML file that `ZELADOR_CONFIG` names or `./zelador.toml`
(`ZELADOR_MQTT__URL` is `url` in its table `[mqtt]`). A wrong or unknown setting
is an error of one line, with exit code 2.
"""


def row(name: str, default: Any, why: str) -> str:
    if default is PydanticUndefined or isinstance(default, Section):
        shown = ""
    elif default is None:
        shown = "none"
    else:
        shown = f"`{','.join(default) if isinstance(default, tuple) else default}`"
    return f"| `{name}` | {shown} | {why} |"


def page() -> str:
    lines = [HEAD, "| variable | default | |", "|---|---|---|"]
    lines.append(
        row(
            "ZELADOR_FEATURES",
            Settings.model_fields["features"].default,
            "The features, separated by commas, in order.",
        )
    )
    lines.append(row("ZELADOR_FIELDS", "{}", "The field map, as JSON: [contracts](../contracts.md#the-field-map)."))
    for name in ("plant", "time_zone"):
        field = Settings.model_fields[name]
        lines.append(row(f"ZELADOR_{name}".upper(), field.default, field.description or ""))
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        if not (inspect.isclass(kind) and issubclass(kind, Section)):
            continue
        for key, inner in kind.model_fields.items():
            lines.append(row(f"ZELADOR_{section}__{key}".upper(), inner.default, inner.description or ""))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
