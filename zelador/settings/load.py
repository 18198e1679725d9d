"""Reads the settings, once at the start of a process.

From (first wins) environment variables `ZELADOR_…` (`__` between levels), then the TOML file named by
`ZELADOR_CONFIG` or `./zelador.toml`.
"""

from __future__ import annotations

import difflib
import json
import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    ValidationError,
)

from zelador.errors import InvalidInput
from zelador.settings.section import Section
from zelador.settings.settings import Settings


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises InvalidInput, naming the setting and what it takes."""
    for name in os.environ:
        if name.startswith("ZELADOR_") and name != "ZELADOR_CONFIG":
            first = name.removeprefix("ZELADOR_").split("__")[0].lower()
            if first not in Settings.model_fields:
                raise InvalidInput(f"unknown setting {name}{_suggestion(name)}; see docs/reference/settings.md")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first_error = error.errors()[0]
        where = "__".join(str(part) for part in first_error["loc"]).upper()
        name = f"ZELADOR_{where}" if where else "settings"
        if first_error["type"] == "extra_forbidden":
            raise InvalidInput(f"unknown setting {name}{_suggestion(name)}; see docs/reference/settings.md") from None
        raise InvalidInput(f"{name}: {first_error['msg'].removeprefix('Value error, ')}") from None
    except (ValueError, OSError) as error:  # TOML or JSON that does not parse
        cause = error.__cause__ or error
        raise InvalidInput(
            f"settings cannot be read: {error} ({cause})" if cause is not error else f"settings cannot be read: {error}"
        ) from None


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process these settings, defaults too: it must not find others elsewhere."""
    values: dict[str, str] = {}
    dumped = settings.model_dump(mode="json", by_alias=True, exclude={"remote"})  # no service asks another machine
    for name, value in dumped.items():
        if name in ("features", "profiles"):
            values[f"ZELADOR_{name}".upper()] = ",".join(value)
        elif name in ("fields", "profile_tables"):
            values[f"ZELADOR_{name}".upper()] = json.dumps(value)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if inner is not None:
                    values[f"ZELADOR_{name}__{key}".upper()] = _text(inner)
        elif value is not None:
            values[f"ZELADOR_{name}".upper()] = str(value)
    return values


def _text(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(value) if isinstance(value, list) else str(value)


def redact(url: str) -> str:
    """The URL without its password, for logs."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user = f"{parts.username}:***@" if parts.username else ":***@"
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{user}{host}{port}", parts.path, parts.query, ""))


def _suggestion(name: str) -> str:
    sections = {f: field.annotation for f, field in Settings.model_fields.items()}
    known = [f"ZELADOR_{s}".upper() for s in sections]
    for section, kind in sections.items():
        if isinstance(kind, type) and issubclass(kind, Section):
            known += [f"ZELADOR_{section}__{key}".upper() for key in kind.model_fields]
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
