"""Names of models and runs: 1 to 64 letters, digits, `_`, `-` or `.`, which cannot form a path."""

from __future__ import annotations

import re

from zelador.errors import InvalidInput

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def check_name(name: str) -> str:
    """Returns `name` if it is valid. Raises InvalidInput (a ValueError)."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise InvalidInput(
            f"{str(name)[:80]!r} is not a name: 1 to 64 letters, digits, '_', '-' or '.', "
            "that do not start with '-' or '.', do not end with '.', and have no two dots in a row"
        )
    return name
